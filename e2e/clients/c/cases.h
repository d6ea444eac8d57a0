/* The cases that stand in files of their own; main.c has the others, and the list of all. */
#ifndef CASES_H
#define CASES_H

#include <zookeeper/zookeeper.h>

void a_session_and_its_watches_outlive_the_member(zhandle_t *zh);
void a_session_is_taken_up_with_its_password_and_ends_when_closed(zhandle_t *zh);
void a_session_that_is_not_heard_of_expires_with_its_ephemerals(zhandle_t *zh);
void a_lock_is_handed_on_in_the_order_of_those_who_asked(zhandle_t *zh);
void a_queue_gives_each_item_to_one_in_order(zhandle_t *zh);

#endif
