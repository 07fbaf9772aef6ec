/*
 * s3_multi - a file as an object of many parts ("Uploading and copying objects
 * using multipart upload" of the Amazon S3 user guide).
 *
 * The journal has the upload's id and the ETag of each part that is there, so
 * that another try goes on behind them. An upload that is given up - the file
 * is another one, the server refused it - is aborted, as its parts would be
 * kept, and paid for. Each part is signed with its SHA-256; its ETag, and the
 * object's, which is that of the parts' MD5s, are compared.
 */
#ifndef SEPMLOG_UPLOAD_S3_MULTI_H
#define SEPMLOG_UPLOAD_S3_MULTI_H

#include "s3_call.h"

enum { S3_PARTS = 1000 }; /* for each an ETag in the journal; S3 takes 10000 */

/* Bytes of a part of a file, from what was asked for: not too many parts. */
uint64_t s3_part_size(uint64_t size, uint64_t wanted);

void s3_multi_deliver(struct s3_work *work);
/* Ends an upload that the journal has, as it is not gone on with. False: the
 * result says why. */
bool s3_multi_drop(struct s3_work *work);

#endif
