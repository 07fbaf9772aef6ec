/*
 * forget - what is left of deliveries that will not go on: their target was
 * taken out of the configuration, or their file is gone. Their journals are in
 * upload/state/, and what they tell of may stay at the target.
 */
#ifndef SEPMLOG_UPLOAD_FORGET_H
#define SEPMLOG_UPLOAD_FORGET_H

#include <stdbool.h>
#include <stdio.h>

#include "depot.h"
#include "outbox.h"
#include "plan.h"

/* Removes the journals of files that `outbox` has not, and calls back, for each
 * target, with how many others are left. */
void forget_look(const struct depot *depot, const struct plan *plan,
    struct outbox *outbox,
    void (*tell)(void *arg, const char *target, size_t count), void *arg);

/*
 * Forgets all that is under way for the target, and takes back what it has of
 * it. What stays there is printed to `out`, and why. False: something is not
 * forgotten, and can be tried again.
 */
bool forget_target(const struct depot *depot, const struct plan *plan,
    const char *target, FILE *out);

#endif
