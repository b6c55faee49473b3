// SPDX-License-Identifier: MIT
#include "image.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <test/test.h>

static _Alignas(8) uint8_t manifest[4096];
static struct image image;

// A manifest with one service and two grantable capabilities.
static uint32_t build_manifest(void)
{
    struct wire_builder builder;
    wire_builder_init(&builder, manifest, sizeof manifest);
    struct system_manifest_builder root = system_manifest_root(&builder);
    struct service_builder service = service_element(system_manifest_init_services(root, 1), 0);
    service_set_name(service, wire_text_of("hostlink"));
    service_set_binary(service, wire_text_of("hostlink"));
    struct grant_list_builder grants = system_manifest_init_grantable(root, 2);
    grant_set_name(grant_element(grants, 0), wire_text_of("timer"));
    grant_set_name(grant_element(grants, 1), wire_text_of("entropy"));
    return wire_builder_finish(&builder);
}

// Reads a package with these manifest bytes.
static const char *read_package(uint32_t manifest_bytes)
{
    static struct package package;
    package.count = 0;
    CHECK(package_add(&package, "init", "x", 1));
    CHECK(package_add(&package, "hostlink", "x", 1));
    CHECK(package_add(&package, "shell", "x", 1));
    CHECK(package_add(&package, "manifest", manifest, manifest_bytes));
    int fd = memfd_create("package", 0);
    CHECK(package_write(&package, fd) == nullptr);
    size_t bytes = (size_t)lseek(fd, 0, SEEK_END);
    void *data = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0); // leaves with the test
    close(fd);
    return image_read(&image, data, bytes);
}

static void the_manifest_says_what_can_be_granted(void)
{
    CHECK(read_package(build_manifest()) == nullptr);
    CHECK(image_grants(&image, "timer") && image_grants(&image, "entropy"));
    CHECK(!image_grants(&image, "tim") && !image_grants(&image, ""));
    CHECK(strcmp(image_nearest_grant(&image, "tiemr"), "timer") == 0);
    CHECK(image_nearest_grant(&image, "network") == nullptr);
}

static void programs_are_neither_services_nor_the_manifest(void)
{
    CHECK(read_package(build_manifest()) == nullptr);
    CHECK(image_has_program(&image, "shell"));
    CHECK(!image_has_program(&image, "init"));
    CHECK(!image_has_program(&image, "manifest"));
    CHECK(!image_has_program(&image, "hostlink"));
    CHECK(!image_has_program(&image, "nothing"));
    CHECK(strcmp(image_nearest_program(&image, "shel"), "shell") == 0);
}

static void a_broken_manifest_is_an_error(void)
{
    uint32_t bytes = build_manifest();
    CHECK(read_package(bytes - 8) != nullptr);
    CHECK(read_package(0) != nullptr);
    CHECK(image_read(&image, manifest, sizeof manifest) != nullptr);
}

int main(void)
{
    RUN(the_manifest_says_what_can_be_granted);
    RUN(programs_are_neither_services_nor_the_manifest);
    RUN(a_broken_manifest_is_an_error);
    return test_report();
}
