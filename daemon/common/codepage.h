/*
 * codepage - code pages from the system's iconv.
 */
#ifndef SEPMLOG_CODEPAGE_H
#define SEPMLOG_CODEPAGE_H

#include "text.h"

/*
 * The single- or double-byte code page with this name: `windows-1250` to
 * `windows-1258`, `windows-874`, `iso-8859-1` to `-16`, `koi8-r`, `koi8-u`,
 * `cp437`, `cp850`, `cp852`, `cp866`, `cp932`, `cp936`, `cp949`, `cp950`. Free
 * it with codepage_free. NULL: there is none, or no memory.
 */
struct text_codepage *codepage_load(const char *name);
void codepage_free(struct text_codepage *codepage);

#endif
