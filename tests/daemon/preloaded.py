"""A small library in front of libc, by which a process under test meets file systems that fail, or do not answer."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

COMPILER = shutil.which("gcc") or shutil.which("cc")

# FAULTS names a file with lines such as "fsync 22"; it is read at each call, so that faults may come and go.
# SILENT names a file that cannot be opened while there is a FIFO at HANGS: the call waits for who writes to that.
SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int fault(const char *name) {
    char line[64], what[32]; int number, found = 0; const char *path = getenv("FAULTS");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%31s %d", what, &number) == 2 && !strcmp(what, name)) found = number;
    fclose(file);
    return found;
}
int fsync(int handle) {
    int number = fault("fsync");
    if (number) { errno = number; return -1; }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(handle);
}
int flock(int handle, int operation) {
    int number = fault("flock");
    if (number) { errno = number; return -1; }
    return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(handle, operation);
}
typedef int opening(const char *, int, ...);
static int opened(const char *name, const char *path, int flags, mode_t mode) {
    opening *next = (opening *)dlsym(RTLD_NEXT, name);
    const char *silent = getenv("SILENT"), *hangs = getenv("HANGS");
    if (silent && hangs && !strcmp(path, silent) && !access(hangs, F_OK)) {
        int fifo = next(hangs, O_RDONLY | O_CLOEXEC);
        if (fifo >= 0) close(fifo);
    }
    return next(path, flags, mode);
}
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; mode_t mode; \
        va_start(more, flags); mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0; va_end(more); \
        return opened(#name, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
"""


def build(folder: Path) -> Path:
    """Compile the library into the folder, and return its path."""
    source, library = folder / "preloaded.c", folder / "preloaded.so"
    source.write_text(SOURCE)
    subprocess.run(  # noqa: S603 - our own code
        [str(COMPILER), "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True
    )
    return library
