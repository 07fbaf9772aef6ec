#include "flow.h"

void
flow_look(struct flow *f, uint64_t sum, double seconds)
{
	uint64_t new = sum >= f->sum ? sum - f->sum : sum;
	double rate = seconds > 0 ? (double)new / seconds : 0;

	f->rate += (rate - f->rate) * 0.13;
	if (f->rate < 0.01)
		f->rate = 0;
	f->sum = sum;
}
