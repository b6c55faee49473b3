// SPDX-License-Identifier: MIT
// As in C23 7.23: standard input, output and error over the StdIO named "stdio".
//
// There are no files here: a program has no path to open.  Without a "stdio" in the CapSet
// input is at its end and output fails, as on a closed stream.  Formats are those of
// lib/fmt.h: no floating point.
#pragma once

#include <stdarg.h>
#include <stddef.h>

#define EOF    (-1)
#define BUFSIZ 4096

#define _IOFBF 0
#define _IOLBF 1
#define _IONBF 2

typedef struct stream FILE;

extern FILE stream_input, stream_output, stream_error;
#define stdin  (&stream_input)
#define stdout (&stream_output)
#define stderr (&stream_error)

// stdout keeps text until a line ends if a terminal shows it, else until its buffer is
// full; stderr keeps nothing from one call to the next.  exit flushes.
// Of threads that use one stream at a time each call is done as a whole.
int printf(const char *restrict format, ...) __attribute__((format(printf, 1, 2)));
int fprintf(FILE *restrict stream, const char *restrict format, ...)
    __attribute__((format(printf, 2, 3)));
int vprintf(const char *restrict format, va_list arguments)
    __attribute__((format(printf, 1, 0)));
int vfprintf(FILE *restrict stream, const char *restrict format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
int sprintf(char *restrict buffer, const char *restrict format, ...)
    __attribute__((format(printf, 2, 3)));
int vsprintf(char *restrict buffer, const char *restrict format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
int snprintf(char *restrict buffer, size_t size, const char *restrict format, ...)
    __attribute__((format(printf, 3, 4)));
int vsnprintf(char *restrict buffer, size_t size, const char *restrict format,
              va_list arguments) __attribute__((format(printf, 3, 0)));

int fputc(int character, FILE *stream);
int putc(int character, FILE *stream);
int putchar(int character);
int fputs(const char *restrict text, FILE *restrict stream);
int puts(const char *text);
size_t fwrite(const void *restrict data, size_t size, size_t count, FILE *restrict stream);
int fflush(FILE *stream);

int fgetc(FILE *stream);
int getc(FILE *stream);
int getchar(void);
int ungetc(int character, FILE *stream);
char *fgets(char *restrict line, int size, FILE *restrict stream);
size_t fread(void *restrict data, size_t size, size_t count, FILE *restrict stream);

// When output is passed on: as it fills the stream's own buffer, at the end of lines, or at
// once.  A buffer of the program's is not used.
int setvbuf(FILE *restrict stream, char *restrict buffer, int mode, size_t size);

int feof(FILE *stream);
int ferror(FILE *stream);
void clearerr(FILE *stream);
