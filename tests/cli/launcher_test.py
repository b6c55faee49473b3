#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The root file `capos` and tools/install-deps.sh: what happens before the command runs."""

import os
import shutil
import stat
import subprocess

from case import HANG_SECONDS, ROOT, main, temporary_folder

LAUNCHER = os.path.join(ROOT, 'capos')
SYSTEM_TOOLS = ('sh', 'dirname', 'mktemp', 'rm', 'cat')


def launch(*arguments, program=LAUNCHER, cwd=ROOT, path=os.environ['PATH']):
    return subprocess.run([program, *arguments], cwd=cwd, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=HANG_SECONDS, check=False,
                          env={**os.environ, 'PATH': path})


def it_works_from_any_folder_and_through_a_link():
    wanted = launch('--help').stdout
    assert 'Usage: capos COMMAND' in wanted
    with temporary_folder() as folder:
        assert launch('--help', cwd=folder).stdout == wanted
        link, second = os.path.join(folder, 'capos'), os.path.join(folder, 'second')
        os.symlink(LAUNCHER, link)
        os.symlink('capos', second)
        assert launch('--help', program=second, cwd='/').stdout == wanted


def it_builds_nothing_when_nothing_changed():
    launch('--help')
    with temporary_folder() as folder:
        make = os.path.join(folder, 'make')
        with open(make, 'w', encoding='utf-8') as file:
            file.write('#!/bin/sh\nexit 1\n')
        os.chmod(make, stat.S_IRWXU)
        done = launch('--help', path=f'{folder}:{os.environ["PATH"]}')
        assert done.returncode == 0 and done.stderr == '', done.stderr


def it_passes_arguments_and_status_on():
    done = launch('rnu')
    assert done.returncode == 2 and 'did you mean run?' in done.stderr, done


def a_tree_that_cannot_be_written_is_used_as_it_is():
    with temporary_folder() as folder:
        command = os.path.join(folder, 'build/host/capos')
        os.makedirs(os.path.dirname(command))
        shutil.copy(LAUNCHER, folder)
        for path in (folder, os.path.join(folder, 'build')):
            os.chmod(path, 0o555)
        user = 65534 if os.getuid() == 0 else None  # root could write

        def run():
            return subprocess.run([os.path.join(folder, 'capos'), 'a b'], capture_output=True,
                                  text=True, user=user, check=False, cwd='/')
        done = run()
        assert done.returncode == 125, done
        assert "can't be written" in done.stderr and done.stderr.count('\n') == 1, done
        with open(command, 'w', encoding='utf-8') as file:
            file.write('#!/bin/sh\necho "[$*]"\nexit 7\n')
        os.chmod(command, 0o755)
        done = run()
        assert done.returncode == 7 and done.stdout == '[a b]\n' and not done.stderr, done
        for path in (folder, os.path.join(folder, 'build')):
            os.chmod(path, 0o755)


# ---- tools/install-deps.sh -------------------------------------------------------------

class Machine:
    """A machine with few tools, whose apt-get and sudo write down how they are called."""

    def __init__(self, folder, user, apt=True, sudo=True, apt_fails=''):
        self.folder, self.bin = folder, os.path.join(folder, 'bin')
        self.log = os.path.join(folder, 'log')
        os.makedirs(os.path.join(folder, 'tools'))
        os.makedirs(self.bin)
        shutil.copy(os.path.join(ROOT, 'tools/install-deps.sh'), os.path.join(folder, 'tools'))
        with open(os.path.join(folder, 'tools/dependencies.txt'), 'w', encoding='utf-8') as file:
            file.write('# PROBE PACKAGE FOR\nsh sh-package run it is there\n'
                       'no-such-tool tool-package run it is not\n'
                       '/no/such/file file-package test a file\n'
                       'no-such-luxury luxury-package work for work\n')
        for name in SYSTEM_TOOLS:
            os.symlink(shutil.which(name), os.path.join(self.bin, name))
        self.script('id', f'echo {user}')
        if apt:
            self.script('apt-get', f'echo "apt-get $*" >>{self.log}\n'
                        f'case "$*" in {apt_fails or "never"}) [ -e {self.log}.2 ] && exit 0\n'
                        f': >{self.log}.2; echo broken; exit 100 ;; esac')
        if sudo:
            self.script('sudo', f'echo "sudo $1" >>{self.log}; exec "$@"')

    def script(self, name, body):
        path = os.path.join(self.bin, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(f'#!/bin/sh\n{body}\n')
        os.chmod(path, stat.S_IRWXU)

    def install(self, *arguments):
        done = subprocess.run([os.path.join(self.folder, 'tools/install-deps.sh'), *arguments],
                              env={'PATH': self.bin}, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        log = ''
        if os.path.exists(self.log):
            with open(self.log, encoding='utf-8') as file:
                log = file.read()
        return done, log


INSTALL = 'apt-get install -y --no-install-recommends '


def root_installs_what_is_missing():
    with temporary_folder() as folder:
        done, log = Machine(folder, 0).install('run')
        assert done.returncode == 0, done
        assert log == INSTALL + 'tool-package\n', log
        assert 'installing tool-package' in done.stderr, done.stderr


def others_install_with_sudo():
    with temporary_folder() as folder:
        done, log = Machine(folder, 1000).install('test')
        assert done.returncode == 0, done
        assert log == 'sudo apt-get\n' + INSTALL + 'tool-package file-package\n', log


def old_package_lists_are_renewed():
    with temporary_folder() as folder:
        done, log = Machine(folder, 0, apt_fails='install*').install('run')
        assert done.returncode == 0, done
        assert 'apt-get update' in log and log.count('apt-get install') == 2, log


def without_apt_it_says_what_to_install():
    with temporary_folder() as folder:
        done, _ = Machine(folder, 0, apt=False).install('work')
        assert done.returncode == 1
        assert 'tool-package file-package luxury-package' in done.stderr, done.stderr


def without_sudo_it_says_what_root_should_run():
    with temporary_folder() as folder:
        done, log = Machine(folder, 1000, sudo=False).install('run')
        assert done.returncode == 1 and log == '', done
        assert 'as root, run: ' + INSTALL + 'tool-package' in done.stderr, done.stderr


def a_check_changes_nothing():
    with temporary_folder() as folder:
        done, log = Machine(folder, 1000).install('--check', 'run')
        assert done.returncode == 1 and log == '', done
        assert 'sudo ' + INSTALL + 'tool-package' in done.stderr, done.stderr


def the_real_table_is_satisfied_here():
    done = subprocess.run([os.path.join(ROOT, 'tools/install-deps.sh'), '--check', 'test'],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == '', done.stderr


main([it_works_from_any_folder_and_through_a_link, it_builds_nothing_when_nothing_changed,
      it_passes_arguments_and_status_on, a_tree_that_cannot_be_written_is_used_as_it_is,
      root_installs_what_is_missing,
      others_install_with_sudo, old_package_lists_are_renewed,
      without_apt_it_says_what_to_install, without_sudo_it_says_what_root_should_run,
      a_check_changes_nothing, the_real_table_is_satisfied_here])
