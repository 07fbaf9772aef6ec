/*
 * sha1 - the hash of FIPS 180-4, for names of flows and of texts.
 *
 * Nothing here keeps a secret or proves an origin, so that it does not matter
 * that SHA-1 is broken for those; the Community ID is defined by it. It is our
 * own because that of libcrypto wants a context to be kept for it, or made for
 * every message, and some systems do not allow it at all.
 */
#ifndef SEPMLOG_SHA1_H
#define SEPMLOG_SHA1_H

#include "span.h"

enum { SHA1_SIZE = 20 };

void sha1(struct span text, unsigned char digest[SHA1_SIZE]);

#endif
