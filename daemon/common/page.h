/*
 * page - the look of the pages that the programs write.
 */
#ifndef SEPMLOG_PAGE_H
#define SEPMLOG_PAGE_H

/* page.css, as it is. */
extern const char page_style[];

#endif
