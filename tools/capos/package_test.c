// SPDX-License-Identifier: MIT
#include "package.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <test/test.h>

// Writes a package to memory and maps it again.
static void *round_trip(const struct package *package, size_t *out_bytes)
{
    int fd = memfd_create("package", 0);
    CHECK(package_write(package, fd) == nullptr);
    struct stat status;
    CHECK(fstat(fd, &status) == 0);
    *out_bytes = (size_t)status.st_size;
    void *image = mmap(nullptr, *out_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    return image;
}

static void files_come_back_as_they_were(void)
{
    static struct package package, again;
    CHECK(package_add(&package, "request", "abc", 3));
    CHECK(package_add(&package, "init", "0123456789", 10));
    CHECK(package_add(&package, "empty", "", 0));
    size_t bytes;
    void *image = round_trip(&package, &bytes);
    CHECK_EQ(bytes % 4096, 0);
    CHECK(package_add_all(&again, image, bytes));
    CHECK_EQ(again.count, 3);
    const struct package_file *file = package_find(&again, "init");
    CHECK(file != nullptr && file->bytes == 10 && memcmp(file->data, "0123456789", 10) == 0);
    file = package_find(&again, "empty");
    CHECK(file != nullptr && file->bytes == 0);
    CHECK(package_find(&again, "missing") == nullptr);
    munmap(image, bytes);
}

static void a_file_replaces_one_of_its_name(void)
{
    static struct package package;
    CHECK(package_add(&package, "program", "old", 3));
    CHECK(package_add(&package, "program", "newer", 5));
    CHECK_EQ(package.count, 1);
    CHECK_EQ(package_find(&package, "program")->bytes, 5);
}

static void a_name_that_does_not_fit_is_an_error(void)
{
    static struct package package;
    char name[65];
    memset(name, 'n', 64);
    name[64] = 0;
    CHECK(package_add(&package, name, "", 0));
    CHECK(package_write(&package, -1) != nullptr);
}

static void what_is_not_a_package_is_refused(void)
{
    static struct package package;
    static _Alignas(8) uint8_t junk[8192];
    CHECK(!package_add_all(&package, junk, sizeof junk));
    CHECK(!package_add_all(&package, junk, 0));
    CHECK_EQ(package.count, 0);
}

int main(void)
{
    RUN(files_come_back_as_they_were);
    RUN(a_file_replaces_one_of_its_name);
    RUN(a_name_that_does_not_fit_is_an_error);
    RUN(what_is_not_a_package_is_refused);
    return test_report();
}
