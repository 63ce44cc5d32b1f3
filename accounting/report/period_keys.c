/*
 * period_keys.c - hashes of numbers and texts for the report in the making
 */
#include "report/period_work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024

int work_no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "no memory for the report: ask for a shorter period");
}

void *work_grow(void *array, size_t *count, size_t item_size)
{
    void **items = array;
    char *grown = *items;

    if ((*count & (*count - 1)) == 0) {
        grown = realloc(*items, (*count ? *count * 2 : 1) * item_size);
        if (!grown)
            return NULL;
        *items = grown;
    }
    grown += (*count)++ * item_size;
    memset(grown, 0, item_size);
    return grown;
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* Keys count up, and what is near in time is so in them: they lie as they count, for the sake of
   the caches. */
static size_t slot_of(const struct key_map *map, int64_t key)
{
    size_t at = (size_t)key & (map->room - 1);

    while (map->slots[at].place != 0 && map->slots[at].key != key)
        at = (at + 1) & (map->room - 1);
    return at;
}

static int key_map_widen(struct key_map *map, struct error *err)
{
    struct key_map wider = { .room = map->room ? map->room * 2 : FIRST_ROOM, .count = map->count };

    wider.slots = calloc(wider.room, sizeof(*wider.slots));
    if (!wider.slots)
        return work_no_memory(err);
    for (size_t i = 0; i < map->room; i++) {
        if (map->slots[i].place != 0)
            wider.slots[slot_of(&wider, map->slots[i].key)] = map->slots[i];
    }
    free(map->slots);
    *map = wider;
    return 0;
}

int key_map_add(struct key_map *map, int64_t key, size_t index, struct error *err)
{
    int rc = 0;

    if (2 * (map->count + 1) > map->room)
        rc = key_map_widen(map, err);
    if (rc < 0)
        return rc;
    map->slots[slot_of(map, key)] = (struct key_slot){ key, index + 1 };
    map->count++;
    return 0;
}

size_t key_map_find(const struct key_map *map, int64_t key)
{
    return map->room > 0 ? map->slots[slot_of(map, key)].place - 1 : SIZE_MAX;
}

void key_map_clear(struct key_map *map)
{
    free(map->slots);
    *map = (struct key_map){ 0 };
}

/* --- texts ------------------------------------------------------------------------------------ */

/* FNV-1a, 64 bits (Fowler, Noll, Vo) */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash;
}

static size_t text_slot(const struct texts *texts, const char *text)
{
    size_t at = (size_t)hash_text(text) & (texts->room - 1);

    while (texts->slots[at] && strcmp(texts->items[texts->slots[at] - 1], text) != 0)
        at = (at + 1) & (texts->room - 1);
    return at;
}

static bool texts_widen(struct texts *texts)
{
    struct texts wider = { .items = texts->items, .count = texts->count,
                           .room = texts->room ? texts->room * 2 : FIRST_ROOM };

    wider.slots = calloc(wider.room, sizeof(*wider.slots));
    if (!wider.slots)
        return false;
    for (size_t i = 0; i < texts->count; i++)
        wider.slots[text_slot(&wider, texts->items[i])] = i + 1;
    free(texts->slots);
    *texts = wider;
    return true;
}

int texts_put(struct texts *texts, const char *text, uint32_t *ret_number)
{
    char **item;
    size_t at;

    if (2 * (texts->count + 1) > texts->room && !texts_widen(texts))
        return -ENOMEM;
    at = text_slot(texts, text);
    if (!texts->slots[at]) {
        item = work_grow(&texts->items, &texts->count, sizeof(*item));
        if (!item)
            return -ENOMEM;
        *item = strdup(text);
        if (!*item) {
            texts->count--;
            return -ENOMEM;
        }
        texts->slots[at] = texts->count;
    }
    *ret_number = (uint32_t)(texts->slots[at] - 1);
    return 0;
}

void texts_clear(struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
    free(texts->slots);
    *texts = (struct texts){ 0 };
}
