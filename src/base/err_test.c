#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/test.h"
#include "base/utf8.h"

TEST(an_error_has_class_text_place_and_hint)
{
    struct err err = {0};
    EXPECT(!err_set(&err, ERR_CONFIG, "unknown key \"%s\"", "retain"));
    EXPECT(!err_at(&err, "sluice.yaml", 12, 9, 6));
    EXPECT(!err_hint(&err, "Did you mean \"%s\"?", "retention"));
    EXPECT(!err_context(&err, "topic \"%s\"", "x"));
    EXPECT_EQ_INT(err.class, ERR_CONFIG);
    EXPECT_STR(err.text, "topic \"x\": unknown key \"retain\"");
    EXPECT_STR(err.hint, "Did you mean \"retention\"?");
    EXPECT_STR(err.place.file, "sluice.yaml");
    EXPECT_EQ_INT(err.place.line, 12);
    EXPECT(!err_set_errno(&err, ERR_RETRY, ENOENT, "could not open \"%s\"", "f"));
    EXPECT_STR(err.text, "could not open \"f\": No such file or directory");
    EXPECT_EQ_INT(err.code, ENOENT);
    EXPECT_EQ_INT(err.place.line, 0); /* a new error has nothing of the old one */
    err_clear(&err);
    EXPECT_EQ_INT(err.class, ERR_NONE);
}

TEST(nobody_needs_to_listen)
{
    EXPECT(!err_set(NULL, ERR_DATA, "x") && !err_context(NULL, "x") && !err_hint(NULL, "x") &&
           !err_at(NULL, "x", 1, 1, 1));
    EXPECT(!err_set_errno(NULL, ERR_DATA, ENOENT, "x"));
}

/* Too long a text is cut between characters, whatever the length. */
TEST(long_texts_are_cut)
{
    char text[2000];
    for (size_t n = ERR_TEXT_MAX - 8; n < ERR_TEXT_MAX + 8; n++) {
        struct err err = {0};
        memset(text, 'x', n);
        memcpy(text + n, "\xF0\x9F\x98\x80\xC3\xA4\xE2\x82\xAC", 10);
        err_set(&err, ERR_DATA, "%s", text);
        size_t length = strlen(err.text);
        EXPECT(utf8_valid(err.text, length));
        bool fits = n + 9 < ERR_TEXT_MAX;
        EXPECT(fits == (strcmp(err.text, text) == 0));
        EXPECT(fits || strcmp(err.text + length - 3, "\xE2\x80\xA6") == 0);
        err_context(&err, "%s", text);
        EXPECT(utf8_valid(err.text, strlen(err.text)));
    }
}

static bool fails(struct err *err)
{
    return err_set(err, ERR_DATA, "no");
}
static bool tries(struct err *err, int *after)
{
    TRY(fails(err));
    ++*after;
    return true;
}
static bool tries_out(struct err *err, int *cleaned)
{
    bool ok = false;
    TRY_OUT(fails(err));
    ok = true;
out:
    ++*cleaned;
    return ok;
}

TEST(the_two_macros)
{
    struct err err = {0};
    int after = 0, cleaned = 0;
    EXPECT(!tries(&err, &after) && after == 0);
    EXPECT(!tries_out(&err, &cleaned) && cleaned == 1);
}

TEST(secrets_do_not_show)
{
    struct err err = {0};
    err_secret_add("hunter22");
    err_set(&err, ERR_RETRY, "login failed: postgresql://u:%s@h/%s?abc", "hunter22", "hunter22");
    EXPECT_STR(err.text, "login failed: postgresql://u:***@h/***?abc");
    err_context(&err, "with %s", "hunter22");
    EXPECT(strstr(err.text, "hunter22") == NULL);
    err_hint(&err, "Is %s right?", "hunter22");
    EXPECT_STR(err.hint, "Is *** right?");
}

/* A short one would shred every text: it is overwritten where it stands as a word. */
TEST(short_secrets_do_not_show)
{
    struct err err = {0};
    char output[] = "{\"x\": 1, \"error\": \"hunter22\"}";
    err_secret_add("x");
    err_secret_add("pw");
    err_secret_add("$$");
    err_secret_add("");
    err_set(&err, ERR_RETRY, "could not fetch http://key:x@h/x?a=pw&max=1: pwd, x_1, text (a$$b) \"x\" pw");
    EXPECT_STR(err.text, "could not fetch http://key:*@h/*?a=**&max=1: pwd, x_1, text (a**b) \"*\" **");
    err_redact(output, ERR_REDACT_OUTPUT);
    EXPECT_STR(output, "{\"x\": 1, \"error\": \"***\"}");
}

/* However long: in whole, cut by whoever shows it, and cut by the end of the text. */
TEST(long_secrets_do_not_show)
{
    static char secret[5000];
    struct err err = {0};
    for (size_t i = 0; i < sizeof secret - 1; i++)
        secret[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[i * i * 31 % 61];
    err_secret_add(secret);
    char *whole = mem_new(sizeof secret + 100);
    snprintf(whole, sizeof secret + 100, "at %s, and on", secret);
    err_redact(whole, ERR_REDACT_TEXT);
    EXPECT_STR(whole, "at ***, and on");
    mem_free(whole);
    err_set(&err, ERR_RETRY, "bad token %s", secret);
    EXPECT_STR(err.text, "bad token ***\xE2\x80\xA6");
    err_set(&err, ERR_RETRY, "bad token %.40s… and %.16s", secret, secret);
    EXPECT_STR(err.text, "bad token ***… and ***");
    for (int before = ERR_TEXT_MAX - 12; before < ERR_TEXT_MAX;
         before++) { /* the cut goes through the secret */
        err_set(&err, ERR_RETRY, "%*s%s", before, "", "hunter22");
        EXPECT(strstr(err.text, "hun") == NULL);
    }
}

/* One that begins another does not leave the other's end. */
TEST(the_longest_secret_counts)
{
    struct err err = {0};
    err_secret_add("pass");
    err_secret_add("pass-word");
    err_set(&err, ERR_RETRY, "pass pass-word pass-port");
    EXPECT_STR(err.text, "*** *** ***-port");
}

int main(void)
{
    RUN(an_error_has_class_text_place_and_hint);
    RUN(nobody_needs_to_listen);
    RUN(long_texts_are_cut);
    RUN(the_two_macros);
    RUN(secrets_do_not_show);
    RUN(short_secrets_do_not_show);
    RUN(long_secrets_do_not_show);
    RUN(the_longest_secret_counts);
    return test_end();
}
