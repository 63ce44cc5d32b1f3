#include "core/utf8.h"

size_t utf8_decode(const char *text, uint32_t *ret_code)
{
    const unsigned char *byte = (const unsigned char *)text;
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = byte[0] < 0x80 ? 1 : byte[0] < 0xc2 ? 0 : byte[0] < 0xe0 ? 2
               : byte[0] < 0xf0 ? 3 : byte[0] < 0xf5 ? 4 : 0;
    uint32_t code = len < 2 ? byte[0] : byte[0] & (0x7fu >> len);

    for (size_t i = 1; i < len; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (byte[i] & 0x3fu);
    }
    if (len == 0 || code < least[len] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff)
        return 0;
    *ret_code = code;
    return len;
}

const char *utf8_find_bad(const char *text)
{
    uint32_t code;
    size_t len;

    while (*text && (len = utf8_decode(text, &code)) > 0)
        text += len;
    return text;
}

void utf8_mend(char *text)
{
    while (*(text += utf8_find_bad(text) - text))
        *text = '?';
}

bool utf8_is_unsafe(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7f && code < 0xa0))
        return true;
    /* zero width, direction of writing, line and paragraph separators, byte order mark */
    return (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f) || code == 0x061c || code == 0xfeff;
}
