// SPDX-License-Identifier: MIT
// The line editor: keys to edits, edits to the screen. See cmd/line.h. The terminal is in raw mode only while a line is
// read, so that Ctrl-C is a signal while an answer is made.
#include "cmd/line.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/find.h"
#include "base/utf8.h"
#include "cmd/edit.h"
#include "cmd/history.h"
#include "cmd/out.h"
#include "cmd/signals.h"

#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
#define ESCAPE_MS 50 // a sequence comes at once; a key Escape alone

struct line {
    bool plain; // no editor: the terminal cannot move its cursor, or there is nowhere to show it
    int out;
    bool colours;
    struct termios saved;
    struct history history;
    size_t entry; // of the history that is shown; its number: the line being written
    struct edit edit;
    struct buf draft, cut; // the line being written while an older one is shown; what was removed last
    const char *prompt;
    size_t row;   // of the cursor below the first row drawn
    char in[256]; // bytes read and not taken yet
    size_t in_at, in_n;
    enum line_end end;
    bool done;
};

bool line_open(struct line **out, const char *history, struct err *e) {
    struct line *l = *out = calloc(1, sizeof **out);
    if (!l)
        return err_memory(e, sizeof *l, "terminal");
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    l->out = isatty(STDERR_FILENO) ? STDERR_FILENO : STDOUT_FILENO;
    bool dumb = !term || !*term || strcmp(term, "dumb") == 0;
    l->plain = dumb || !isatty(l->out) || tcgetattr(STDIN_FILENO, &l->saved) != 0;
    l->colours = !no_color || !*no_color;
    history_open(&l->history, history);
    return true;
}

void line_close(struct line *l) {
    if (!l)
        return;
    history_close(&l->history);
    buf_free(&l->edit.text);
    buf_free(&l->draft);
    buf_free(&l->cut);
    free(l);
}

static void put(const struct line *l, const char *text) {
    ssize_t written = write(l->out, text, strlen(text));
    (void)written;
}

static bool raw_on(const struct line *l) {
    struct termios raw = l->saved;
    raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
    raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    signals_guard_terminal(STDIN_FILENO, l->out, &l->saved, PASTE_OFF "\r\n");
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0)
        return false;
    put(l, PASTE_ON);
    return true;
}

static void raw_off(const struct line *l) {
    put(l, PASTE_OFF);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &l->saved);
    signals_free_terminal();
}

static bool draw(struct line *l, struct err *e) {
    struct winsize size = {0};
    struct buf out = {0};
    if (ioctl(l->out, TIOCGWINSZ, &size) != 0 || !size.ws_col || !size.ws_row)
        size = (struct winsize){.ws_col = 80, .ws_row = 24};
    buf_str(&out, "\r");
    if (l->row)
        buf_printf(&out, "\033[%zuA", l->row);
    buf_str(&out, l->colours ? "\033[J\033[1m" : "\033[J");
    struct edit_place place = edit_draw(&l->edit, l->prompt, size.ws_col, size.ws_row, &out);
    buf_str(&out, l->colours ? "\033[0m\r" : "\r");
    if (place.n_rows - 1 > place.row)
        buf_printf(&out, "\033[%zuA", place.n_rows - 1 - place.row);
    if (place.column)
        buf_printf(&out, "\033[%zuC", place.column);
    l->row = place.row;
    bool ok = out.failed ? err_memory(e, out.len, "terminal") : out_write(l->out, "terminal", out.ptr, out.len, e);
    buf_free(&out);
    return ok;
}

// The next byte, or -1: at the end of input, and after `timeout` ms without one.
static int next_byte(struct line *l, int timeout) {
    while (l->in_at == l->in_n) {
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        struct err ignored;
        if (timeout >= 0 && poll(&p, 1, timeout) <= 0)
            return -1;
        ssize_t n = read(STDIN_FILENO, l->in, sizeof l->in);
        if (n < 0 && errno == EINTR && !l->plain) { // another size, or back from a stop
            raw_on(l);
            draw(l, &ignored);
            continue;
        }
        if (n <= 0)
            return -1;
        l->in_at = 0;
        l->in_n = (size_t)n;
    }
    return (unsigned char)l->in[l->in_at++];
}

static void cut_to(struct line *l, size_t to) {
    size_t begin = min_size(to, l->edit.cursor), n = max_size(to, l->edit.cursor) - begin;
    l->cut.len = 0;
    if (n)
        buf_append(&l->cut, l->edit.text.ptr + begin, n);
    edit_remove(&l->edit, to);
}

// Shows another entry of the history; the line being written waits.
static void show_entry(struct line *l, size_t entry) {
    size_t n = history_n(&l->history);
    if (l->entry == n) {
        l->draft.len = 0;
        if (l->edit.text.len)
            buf_append(&l->draft, l->edit.text.ptr, l->edit.text.len);
    }
    l->entry = entry;
    const char *text = entry < n ? history_at(&l->history, entry) : NULL;
    edit_set(&l->edit, text ? (struct str){text, strlen(text)} : (struct str){l->draft.ptr, l->draft.len});
}

typedef void key_action(struct line *l);

static void key_left(struct line *l) {
    l->edit.cursor = edit_back(&l->edit, EDIT_CHAR);
}
static void key_right(struct line *l) {
    l->edit.cursor = edit_ahead(&l->edit, EDIT_CHAR);
}
static void key_word_left(struct line *l) {
    l->edit.cursor = edit_back(&l->edit, EDIT_WORD);
}
static void key_word_right(struct line *l) {
    l->edit.cursor = edit_ahead(&l->edit, EDIT_WORD);
}
static void key_home(struct line *l) {
    l->edit.cursor = edit_back(&l->edit, EDIT_LINE);
}
static void key_end(struct line *l) {
    l->edit.cursor = edit_ahead(&l->edit, EDIT_LINE);
}
static void key_up(struct line *l) {
    if (!edit_up(&l->edit) && l->entry)
        show_entry(l, l->entry - 1);
}
static void key_down(struct line *l) {
    if (!edit_down(&l->edit) && l->entry < history_n(&l->history))
        show_entry(l, l->entry + 1);
}
static void key_backspace(struct line *l) {
    edit_remove(&l->edit, edit_back(&l->edit, EDIT_CHAR));
}
static void key_delete(struct line *l) {
    edit_remove(&l->edit, edit_ahead(&l->edit, EDIT_CHAR));
}
static void key_cut_word(struct line *l) {
    cut_to(l, edit_back(&l->edit, EDIT_WORD));
}
static void key_cut_word_ahead(struct line *l) {
    cut_to(l, edit_ahead(&l->edit, EDIT_WORD));
}
static void key_cut_begin(struct line *l) {
    cut_to(l, edit_back(&l->edit, EDIT_LINE));
}
static void key_cut_end(struct line *l) {
    cut_to(l, edit_ahead(&l->edit, EDIT_LINE));
}
static void key_yank(struct line *l) {
    edit_insert(&l->edit, l->cut.ptr, l->cut.len);
}
static void key_newline(struct line *l) {
    edit_insert(&l->edit, "\n", 1);
}
static void key_clear(struct line *l) {
    put(l, "\033[H\033[2J");
    l->row = 0;
}
static void key_enter(struct line *l) {
    l->done = true;
    l->end = LINE_TEXT;
}
static void key_cancel(struct line *l) {
    l->done = true;
    l->end = LINE_CANCELLED;
}
static void key_eof(struct line *l) {
    l->done = !l->edit.text.len;
    l->end = LINE_END;
    if (!l->done)
        key_delete(l);
}
static void key_stop(struct line *l) {
    raw_off(l);
    raise(SIGTSTP);
    raw_on(l);
}

// Takes what is pasted up to the end of the paste. Lines may end in CR; other control characters are left out.
static void key_paste(struct line *l) {
    static const char end[] = "\033[201~";
    struct buf text = {0};
    int byte;
    while (!find_ends((struct str){text.ptr, text.len}, end) && (byte = next_byte(l, -1)) >= 0)
        buf_char(&text, (char)byte);
    if (find_ends((struct str){text.ptr, text.len}, end))
        text.len -= strlen(end);
    for (size_t i = 0; i < text.len;) {
        unsigned n;
        uint32_t code = utf8_decode(text.ptr + i, text.len - i, &n);
        bool breaks = code == '\r' && !(i + 1 < text.len && text.ptr[i + 1] == '\n');
        if (breaks)
            edit_insert(&l->edit, "\n", 1);
        else if (code != UTF8_BAD && (code >= ' ' || code == '\n' || code == '\t') && code != 0x7F)
            edit_insert(&l->edit, text.ptr + i, n);
        i += n;
    }
    buf_free(&text);
}

// Keys by the bytes that terminals send for them.
static const struct {
    const char *bytes;
    key_action *run;
} keys[] = {
    {"\r", key_enter},
    {"\n", key_newline},
    {"\033\r", key_newline},
    {"\033\n", key_newline},
    {"\003", key_cancel},
    {"\004", key_eof},
    {"\032", key_stop},
    {"\014", key_clear},
    {"\033[D", key_left},
    {"\033OD", key_left},
    {"\002", key_left},
    {"\033[C", key_right},
    {"\033OC", key_right},
    {"\006", key_right},
    {"\033[A", key_up},
    {"\033OA", key_up},
    {"\020", key_up},
    {"\033[B", key_down},
    {"\033OB", key_down},
    {"\016", key_down},
    {"\033[H", key_home},
    {"\033OH", key_home},
    {"\033[1~", key_home},
    {"\033[7~", key_home},
    {"\001", key_home},
    {"\033[F", key_end},
    {"\033OF", key_end},
    {"\033[4~", key_end},
    {"\033[8~", key_end},
    {"\005", key_end},
    {"\033b", key_word_left},
    {"\033[1;5D", key_word_left},
    {"\033[1;3D", key_word_left},
    {"\033f", key_word_right},
    {"\033[1;5C", key_word_right},
    {"\033[1;3C", key_word_right},
    {"\177", key_backspace},
    {"\010", key_backspace},
    {"\033[3~", key_delete},
    {"\027", key_cut_word},
    {"\033\177", key_cut_word},
    {"\033d", key_cut_word_ahead},
    {"\025", key_cut_begin},
    {"\013", key_cut_end},
    {"\031", key_yank},
    {"\033[200~", key_paste},
};

// The bytes of one key: a control character, a character of text, or an escape sequence.
static size_t read_key(struct line *l, char key[16]) {
    int byte = next_byte(l, -1);
    size_t n = 0;
    if (byte < 0)
        return 0;
    key[n++] = (char)byte;
    if (byte >= 0xC0) {
        unsigned more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
        while (more-- && (byte = next_byte(l, ESCAPE_MS)) >= 0)
            key[n++] = (char)byte;
    }
    if (key[0] != '\033' || (byte = next_byte(l, ESCAPE_MS)) < 0)
        return n;
    key[n++] = (char)byte;
    bool sequence = byte == '[', single = byte == 'O';
    while ((sequence || single) && n < 15 && (byte = next_byte(l, ESCAPE_MS)) >= 0) {
        key[n++] = (char)byte;
        if (single || (byte >= 0x40 && byte <= 0x7E))
            break;
    }
    return n;
}

static void take_key(struct line *l, const char *key, size_t n) {
    unsigned char first = (unsigned char)key[0];
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strlen(keys[i].bytes) == n && memcmp(keys[i].bytes, key, n) == 0) {
            keys[i].run(l);
            return;
        }
    if (first >= ' ' && first != 0x7F && utf8_valid_prefix(key, n) == n)
        edit_insert(&l->edit, key, n);
}

static bool edit_line(struct line *l, struct err *e) {
    l->done = false;
    l->row = l->edit.text.len = l->edit.cursor = 0;
    l->entry = history_n(&l->history);
    ERR_IF(!raw_on(l), e, ERR_SYSTEM, "terminal: %s", strerror(errno));
    bool ok = draw(l, e);
    while (ok && !l->done) {
        char key[16];
        size_t n = read_key(l, key);
        if (!n) {
            l->end = LINE_END;
            break;
        }
        take_key(l, key, n);
        if (l->done)
            l->edit.cursor = l->edit.text.len;
        // A burst of keys is drawn once.
        if (l->in_at == l->in_n || l->done)
            ok = draw(l, e);
        if (ok && (l->edit.text.failed || l->cut.failed || l->draft.failed))
            ok = err_memory(e, l->edit.text.len, "terminal");
    }
    put(l, "\r\n");
    raw_off(l);
    return ok;
}

// A line as the terminal itself lets one edit it.
static bool plain_line(struct line *l) {
    l->edit.text.len = 0;
    put(l, l->prompt);
    int byte;
    while ((byte = next_byte(l, -1)) >= 0 && byte != '\n')
        buf_char(&l->edit.text, (char)byte);
    l->end = byte < 0 && !l->edit.text.len ? LINE_END : LINE_TEXT;
    return true;
}

bool line_read(struct line *l, const char *prompt, struct buf *text, enum line_end *end, struct err *e) {
    l->prompt = prompt;
    ERR_FORWARD(l->plain ? plain_line(l) : edit_line(l, e));
    *end = l->end;
    text->len = 0;
    if (l->end != LINE_TEXT || !l->edit.text.len)
        return true;
    buf_append(text, l->edit.text.ptr, l->edit.text.len);
    if (!l->plain)
        history_add(&l->history, find_trim((struct str){text->ptr, text->len}));
    return !text->failed || err_memory(e, l->edit.text.len, "terminal");
}
