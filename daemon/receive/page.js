"use strict";
/* Draws the charts, and keeps the page in step with the daemon. */
(() => {
	const SVG = "http://www.w3.org/2000/svg";
	const W = 560, H = 150, LEFT = 46, RIGHT = 6, TOP = 10, BOTTOM = 20;
	const CHARTS = [
		{ series: "fine", title: "Messages a second, 10 minutes",
		  lines: [["messages", "received", "a"]] },
		{ series: "coarse", title: "Messages a second, 24 hours",
		  lines: [["messages", "received", "a"]] },
		{ series: "fine", title: "Bytes a second, 10 minutes",
		  lines: [["bytes", "received", "b"]] },
		{ series: "coarse", title: "Lost and unparsed a minute, 24 hours",
		  sums: true,
		  lines: [["losses", "lost", "c"], ["unparsed", "unparsed", "b"]] },
		{ series: "fine", title: "Milliseconds until durable, 10 minutes",
		  sums: true, unit: 1000,
		  lines: [["commit_99", "99 of 100", "b"],
			  ["commit_median", "median", "a"]] },
		{ series: "coarse", title: "Milliseconds until durable, 24 hours",
		  sums: true, unit: 1000,
		  lines: [["commit_99", "99 of 100", "b"],
			  ["commit_median", "median", "a"]] },
	];

	const parser = new DOMParser();

	const short = n => {
		for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]])
			if (n >= size)
				return +(n / size).toPrecision(3) + unit;
		return String(+n.toPrecision(3));
	};
	const make = (parent, name, attributes, text) => {
		const e = document.createElementNS(SVG, name);
		for (const key in attributes)
			e.setAttribute(key, attributes[key]);
		if (text !== undefined)
			e.textContent = text;
		parent.append(e);
		return e;
	};
	/* 1, 2 or 5 times a power of ten, at least `n`. */
	const round = n => {
		const power = 10 ** Math.floor(Math.log10(n));
		return [1, 2, 5, 10].map(x => x * power).find(x => x >= n);
	};

	const frame = (svg, most, span) => {
		for (const part of [0, .5, 1]) {
			const y = TOP + (H - TOP - BOTTOM) * (1 - part);
			make(svg, "line", { class: "grid", x1: LEFT, x2: W - RIGHT,
				y1: y, y2: y });
			make(svg, "text", { x: LEFT - 5, y: y + 4,
				"text-anchor": "end" }, short(most * part));
		}
		const ago = span > 7200 ? span / 3600 + " h" : span / 60 + " min";
		make(svg, "text", { x: LEFT, y: H - 4 }, ago + " ago");
		make(svg, "text", { x: W - RIGHT, y: H - 4,
			"text-anchor": "end" }, "now");
	};

	const draw = (chart, data) => {
		const series = data[chart.series];
		const size = chart.series === "fine" ? 600 : 1440;
		const scale = chart.unit ?? (chart.sums ? 1 : series.step);
		/* The last point is still in the making: no rate yet. */
		const end = chart.sums ? undefined : -1;
		const sets = chart.lines.map(([key, , colour]) =>
			[series[key].slice(0, end).map(n => n / scale), colour]);
		const most = Math.max(...sets.map(([s]) => Math.max(0, ...s)));
		const top = most > 0 ? round(most) : 1;
		const svg = chart.svg;

		svg.replaceChildren();
		frame(svg, top, size * series.step);
		const x = (i, n) => W - RIGHT - (n - 1 - i) / (size - 1) *
			(W - LEFT - RIGHT);
		const y = v => TOP + (H - TOP - BOTTOM) * (1 - v / top);
		for (const [values, colour] of sets) {
			const points = values.map((v, i) =>
				x(i, values.length).toFixed(1) + "," + y(v).toFixed(1));
			if (points.length < 2)
				continue;
			make(svg, "polygon", { class: "area " + colour, points:
				[x(0, values.length) + "," + y(0), ...points,
				 (W - RIGHT) + "," + y(0)].join(" ") });
			make(svg, "polyline", { class: "trace " + colour,
				points: points.join(" ") });
		}
		svg.setAttribute("aria-label", chart.title + ", at most " +
			short(most));
	};

	const build = () => {
		for (const chart of CHARTS) {
			const box = document.createElement("div");
			const title = document.createElement("h2");
			box.className = "chart";
			title.textContent = chart.title;
			for (const [, name, colour] of chart.lines) {
				const key = document.createElement("span");
				const mark = document.createElement("i");
				key.className = "key";
				mark.className = colour;
				key.append(mark, name);
				title.append(key);
			}
			chart.svg = make(box, "svg", { viewBox: `0 0 ${W} ${H}`,
				role: "img" });
			box.prepend(title);
			document.getElementById("charts").append(box);
		}
	};

	const get = async path => {
		const answer = await fetch(path, { cache: "no-store" });
		if (!answer.ok)
			throw new Error(answer.status);
		return answer;
	};
	const refresh = async () => {
		const state = document.getElementById("state");
		try {
			const [live, data] = await Promise.all([
				get("/live").then(a => a.text()).then(text =>
					parser.parseFromString(text, "text/html")),
				get("/history.json").then(a => a.json()) ]);
			for (const id of ["top", "rest"])
				document.getElementById(id).replaceChildren(
					...live.getElementById(id).childNodes);
			for (const chart of CHARTS)
				draw(chart, data);
			state.textContent = "";
		} catch (error) {
			state.textContent = ", no answer: what is shown is old";
		}
		setTimeout(refresh, document.hidden ? 10000 : 2000);
	};
	build();
	refresh();
})();
