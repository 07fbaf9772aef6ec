#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "disk.h"
#include "pack.h"

#define PACK_OUT ((size_t)64 << 10)
#define PACK_GZIP_WINDOW (15 + 16) /* zlib: 16 more asks for gzip's frame */
#define PACK_GZIP_MEMORY 8
/* Of records as jsonl, level 1 makes less than level 3 does (6.7 times less
 * against 6.4), and is one and a half times as fast. */
#define PACK_ZSTD_LEVEL 1

struct pack {
	enum spool_compress kind;
	z_stream gzip;
	ZSTD_CCtx *zstd;
	struct sha256 *sha; /* of what comes out */
	char out[PACK_OUT];
};

const char *
pack_extension(enum spool_compress kind)
{
	static const char *const extension[] = {
	    [SPOOL_NONE] = "",
	    [SPOOL_GZIP] = ".gz",
	    [SPOOL_ZSTD] = ".zst",
	};

	return extension[kind];
}

static bool
set_zstd(struct pack *pack, ZSTD_cParameter parameter, int value)
{
	return !ZSTD_isError(
	    ZSTD_CCtx_setParameter(pack->zstd, parameter, value));
}

struct pack *
pack_new(enum spool_compress kind)
{
	struct pack *pack = calloc(1, sizeof(*pack));
	bool ready = false;

	if (!pack)
		return NULL;
	pack->kind = kind;
	pack->sha = sha256_new();
	if (kind == SPOOL_GZIP) {
		ready = deflateInit2(&pack->gzip, Z_DEFAULT_COMPRESSION,
			    Z_DEFLATED, PACK_GZIP_WINDOW, PACK_GZIP_MEMORY,
			    Z_DEFAULT_STRATEGY) == Z_OK;
	} else {
		pack->zstd = ZSTD_createCCtx();
		ready =
		    pack->zstd &&
		    set_zstd(pack, ZSTD_c_compressionLevel, PACK_ZSTD_LEVEL) &&
		    set_zstd(pack, ZSTD_c_checksumFlag, 1);
	}
	if (!ready || !pack->sha) {
		pack_free(pack);
		errno = ENOMEM;
		return NULL;
	}
	return pack;
}

void
pack_free(struct pack *pack)
{
	if (!pack)
		return;
	if (pack->kind == SPOOL_GZIP)
		deflateEnd(&pack->gzip);
	ZSTD_freeCCtx(pack->zstd);
	sha256_free(pack->sha);
	free(pack);
}

static bool
pack_put(struct pack *pack, size_t n, int fd)
{
	struct span out = span_of(pack->out, n);

	sha256_add(pack->sha, out);
	return disk_write(fd, out, NULL);
}

static bool
pack_gzip(struct pack *pack, struct span in, bool last, int fd)
{
	z_stream *z = &pack->gzip;
	int status;

	z->next_in = (Bytef *)(uintptr_t)in.p; /* zlib only reads it */
	z->avail_in = (uInt)in.n;
	do {
		z->next_out = (Bytef *)pack->out;
		z->avail_out = PACK_OUT;
		status = deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
		if (!pack_put(pack, PACK_OUT - z->avail_out, fd))
			return false;
	} while (last ? status != Z_STREAM_END : z->avail_out == 0);
	return true;
}

static bool
pack_zstd(struct pack *pack, struct span in, bool last, int fd)
{
	ZSTD_inBuffer input = {in.p, in.n, 0};
	ZSTD_EndDirective end = last ? ZSTD_e_end : ZSTD_e_continue;
	size_t left;

	do {
		ZSTD_outBuffer output = {pack->out, PACK_OUT, 0};

		left = ZSTD_compressStream2(pack->zstd, &output, &input, end);
		if (ZSTD_isError(left)) {
			errno = ENOMEM; /* the one way it can fail here */
			return false;
		}
		if (!pack_put(pack, output.pos, fd))
			return false;
	} while (last ? left != 0 : input.pos < input.size);
	return true;
}

bool
pack_feed(struct pack *pack, struct span in, bool last, int fd)
{
	return pack->kind == SPOOL_GZIP ? pack_gzip(pack, in, last, fd)
					: pack_zstd(pack, in, last, fd);
}

void
pack_sum(struct pack *pack, uint8_t sum[SHA256_SIZE])
{
	sha256_end(pack->sha, sum);
}
