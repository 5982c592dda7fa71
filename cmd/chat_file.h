// SPDX-License-Identifier: MIT
// The file of a conversation: read, appended to as it goes on, so that nothing is lost when the program dies, and
// written anew when earlier turns change. A file that somebody else changed meanwhile is noticed.
#pragma once

#include <sys/stat.h>

#include "cmd/turns.h"

struct chat_file {
    const char *path; // NULL: no file, and every call does nothing
    struct stat seen; // the file as it was left; st_ino 0: there is none yet
    int fd;           // open while a turn is appended, or -1
    struct buf line;  // the part of a line that came so far
};

// Reads the turns of a file that exists. `lossy`: see input_check_text.
bool chat_file_read(struct chat_file *f, struct turns *turns, bool lossy, struct err *e);
// True when the file is not as it was left.
bool chat_file_changed(const struct chat_file *f);

// Appends a turn: its head, its text in pieces (a line reaches the file when it is complete), its end, on the disk.
bool chat_file_begin(struct chat_file *f, const char *role, struct err *e);
bool chat_file_add(struct chat_file *f, const char *text, size_t n, struct err *e);
bool chat_file_end(struct chat_file *f, struct err *e);
// A whole turn.
bool chat_file_append(struct chat_file *f, const char *role, struct str text, struct err *e);

// Writes all turns into the place of the file, or of any file.
bool chat_file_write(struct chat_file *f, const struct turns *turns, struct err *e);
bool chat_file_save(const char *path, const struct turns *turns, struct err *e);

void chat_file_close(struct chat_file *f);
