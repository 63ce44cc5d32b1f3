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

/* Where the keys of this number are, or would be. */
static size_t slot_of(const struct key_map *map, uint64_t number)
{
    uint64_t mixed = number * UINT64_C(0x9E3779B97F4A7C15); /* 2^64 by the golden ratio */
    size_t at = (size_t)(mixed >> 32) & (map->room - 1);

    while (map->slots[at] != 0 && map->groups[map->slots[at] - 1].number != number)
        at = (at + 1) & (map->room - 1);
    return at;
}

static bool key_map_widen(struct key_map *map)
{
    struct key_map wider = *map;

    wider.room = map->room ? map->room * 2 : FIRST_ROOM;
    wider.slots = calloc(wider.room, sizeof(*wider.slots));
    if (!wider.slots)
        return false;
    for (size_t i = 0; i < map->count; i++)
        wider.slots[slot_of(&wider, map->groups[i].number)] = (uint32_t)(i + 1);
    free(map->slots);
    *map = wider;
    return true;
}

int key_map_add(struct key_map *map, int64_t key, size_t index, struct error *err)
{
    uint64_t number = (uint64_t)key / KEYS_NEAR;
    size_t at;

    if (2 * (map->count + 1) > map->room && !key_map_widen(map))
        return work_no_memory(err);
    at = slot_of(map, number);
    if (map->slots[at] == 0) {
        struct key_group *group = work_grow(&map->groups, &map->count, sizeof(*group));

        if (!group)
            return work_no_memory(err);
        group->number = number;
        map->slots[at] = (uint32_t)map->count;
    }
    map->groups[map->slots[at] - 1].places[(uint64_t)key % KEYS_NEAR] = (uint32_t)(index + 1);
    return 0;
}

size_t key_map_find(const struct key_map *map, int64_t key)
{
    size_t at = map->room > 0 ? slot_of(map, (uint64_t)key / KEYS_NEAR) : 0;
    uint32_t place = 0;

    if (map->room > 0 && map->slots[at] != 0)
        place = map->groups[map->slots[at] - 1].places[(uint64_t)key % KEYS_NEAR];
    return place != 0 ? place - 1 : SIZE_MAX;
}

void key_map_clear(struct key_map *map)
{
    free(map->slots);
    free(map->groups);
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
