// SPDX-License-Identifier: MIT
// Tests of lib/char_width.c.
#include <lib/char_width.h>

#include <test/test.h>

static void widths_are_those_of_terminals(void)
{
    CHECK_EQ(char_width('a'), 1);
    CHECK_EQ(char_width(0xe9), 1);
    CHECK_EQ(char_width(0xad), 1);   // soft hyphen: shown
    CHECK_EQ(char_width(0x301), 0);  // combining acute accent
    CHECK_EQ(char_width(0x200b), 0); // zero width space
    CHECK_EQ(char_width(0x200d), 0); // zero width joiner
    CHECK_EQ(char_width(0x1161), 0); // Hangul vowel
    CHECK_EQ(char_width(0x1100), 2);
    CHECK_EQ(char_width(0x65e5), 2);
    CHECK_EQ(char_width(0xac00), 2);
    CHECK_EQ(char_width(0xff21), 2); // full-width A
    CHECK_EQ(char_width(0xff71), 1); // half-width katakana
    CHECK_EQ(char_width(0x1f600), 2);
    CHECK_EQ(char_width(0x20000), 2);
    CHECK_EQ(char_width(0xe0100), 0); // variation selector
    CHECK_EQ(char_width(0x10ffff), 1);
}

// Encodes by the rule, so that decoding has something to agree with.
static uint32_t encode(uint32_t code_point, char *out)
{
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    uint32_t length = code_point < 0x80      ? 1
                      : code_point < 0x800   ? 2
                      : code_point < 0x10000 ? 3
                                             : 4;
    for (uint32_t i = length; i-- > 1; code_point >>= 6)
        out[i] = (char)(0x80 | (code_point & 0x3f));
    out[0] = (char)(leads[length] | code_point);
    return length;
}

static void every_code_point_is_read_and_every_cut_is_seen(void)
{
    char text[4];
    uint32_t got;
    bool incomplete;
    for (uint32_t code_point = 0; code_point <= 0x10ffff; code_point++) {
        uint32_t length = encode(code_point, text);
        bool is_surrogate = code_point >= 0xd800 && code_point < 0xe000;
        uint32_t read = char_decode(text, length, &got, &incomplete);
        if (read != (is_surrogate ? 0 : length) || (read != 0 && got != code_point) ||
            incomplete) {
            CHECK_EQ(code_point, UINT32_MAX);
            return;
        }
        for (uint32_t cut = 0; cut < length; cut++)
            if (char_decode(text, cut, &got, &incomplete) != 0 || !incomplete) {
                CHECK_EQ(code_point, UINT32_MAX);
                return;
            }
    }
}

static void what_isnt_utf8_is_refused(void)
{
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80",
                                      "\xff",
                                      "\xc3("};
    uint32_t got;
    bool incomplete;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(char_decode(bad[i], strlen(bad[i]), &got, &incomplete), 0);
        CHECK(!incomplete);
    }
}

int main(void)
{
    RUN(widths_are_those_of_terminals);
    RUN(every_code_point_is_read_and_every_cut_is_seen);
    RUN(what_isnt_utf8_is_refused);
    return test_report();
}
