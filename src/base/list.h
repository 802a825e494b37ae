/* An intrusive doubly linked list. The head is a link too; an empty list's head points to itself. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define LIST_EACH(link, head) for (struct list *link = (head)->next; link != (head); link = link->next)

static inline void list_init(struct list *head)
{
    head->prev = head->next = head;
}
static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}
static inline void list_insert_before(struct list *at, struct list *link)
{
    link->prev = at->prev;
    link->next = at;
    at->prev->next = link;
    at->prev = link;
}
static inline void list_push_back(struct list *head, struct list *link)
{
    list_insert_before(head, link);
}
static inline void list_push_front(struct list *head, struct list *link)
{
    list_insert_before(head->next, link);
}
/* Takes link out; it becomes a list of its own, so removing it twice is harmless. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}
static inline struct list *list_pop_front(struct list *head)
{
    if (list_empty(head))
        return NULL;
    struct list *link = head->next;
    list_remove(link);
    return link;
}

#endif
