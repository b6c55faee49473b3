#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The programs that work on files, booted: what they print, what they refuse, their statuses."""

import os

from case import capos, expect, main, temporary_folder


def on_boot_files(*command, stdin=b''):
    return capos('run', '--grant', 'boot-files', *command, stdin=stdin)


def script(*lines):
    """Lines of the shell, which hold a directory in memory as `tmp`."""
    return capos('shell', '--', '-c', 'let tmp = ramfs.create budget 1MiB', *lines)


def run(command):
    program, _, arguments = command.partition(' ')
    return f'run {program} with {{ stdio, tmp }} {arguments}'


def says(commands, output, stderr=''):
    done = script(*map(run, commands))
    expect(done, 0, output.encode(), stderr)
    if not stderr:
        assert done.stderr == b'', done.stderr


def files_are_made_copied_moved_and_removed():
    says(['mkdir -p tmp/a/b', 'mkdir tmp/c', 'ls tmp', 'tree tmp', 'mv tmp/a tmp/c', 'ls tmp/c',
          'cp -r tmp/c tmp/d', 'rm -r tmp/c', 'tree tmp', 'rm -r tmp/d', 'ls tmp', 'ls'],
         'a/\nc/\n'
         'tmp\n|-- a/\n|   `-- b/\n`-- c/\n3 directories, 0 files\n'
         'a/\n'
         'tmp\n`-- d/\n    `-- a/\n        `-- b/\n3 directories, 0 files\n'
         'tmp/\n')


def directories_are_moved_between_services_whole_or_not_at_all():
    with temporary_folder() as folder:
        tree = os.path.join(folder, 'tree')
        os.makedirs(os.path.join(tree, 'sub/deep'))
        for name, content in (('program', b'x' * 100_000), ('sub/deep/file', b'deep'),
                              ('sub/old', b'')):
            with open(os.path.join(tree, name), 'wb') as file:
                file.write(content)
        os.chmod(os.path.join(tree, 'program'), 0o755)
        os.utime(os.path.join(tree, 'sub/old'), ns=(5, 1_000_000_007))
        os.symlink('../program', os.path.join(tree, 'sub/link'))
        with open(os.path.join(folder, 'file'), 'wb') as file:
            file.write(b'new')
        done = capos('shell', '--dir', folder + ':host', '--tmp', '1M', '--tmp', '64K:small', '--',
                     '-c', 'mv host/tree small', 'ls small', 'ls host/tree',
                     'mv host/tree tmp', 'ls host', 'tree tmp', 'mkdir small/tree',
                     'mv tmp/tree/sub small/tree', 'mv small/tree/sub tmp/tree', 'mkdir tmp/tree/full',
                     'mkdir host/full host/full/x', 'mv tmp/tree/full host',    # into none that has something
                     'mv tmp/tree host/back', 'mv -n host/file tmp/file', 'cp host/back/program tmp',
                     'mv -n host/back/program tmp', 'cp tmp/file small/file', 'mv tmp/file small/file',
                     'ls -l small')
        expect(done, 0)
        assert done.stderr.decode().splitlines() == [
            'mv: host/tree: no space left', "mv: tmp/tree/full: the directory isn't empty",
            'mv: host/back/program: it exists already'], done.stderr
        assert done.stdout.decode().splitlines() == [
            'mv exited with 1', 'program', 'sub/', 'file', 'tmp', '`-- tree/', '    |-- program',
            '    `-- sub/', '        |-- deep/', '        |   `-- file', '        |-- link',
            '        `-- old', '3 directories, 4 files', 'mv exited with 1', 'mv exited with 1',
            '-0644            3 file', 'd0755            0 tree/'], done.stdout
        back = os.path.join(folder, 'back')
        assert sorted(os.listdir(folder)) == ['back', 'full'] and sorted(os.listdir(back)) == \
            ['full', 'program', 'sub'], os.listdir(folder)
        assert os.stat(os.path.join(back, 'program')).st_mode & 0o777 == 0o755
        assert os.stat(os.path.join(back, 'sub/old')).st_mtime_ns == 1_000_000_007
        assert os.readlink(os.path.join(back, 'sub/link')) == '../program'
        with open(os.path.join(back, 'sub/deep/file'), 'rb') as file:
            assert file.read() == b'deep'


def the_deepest_directories_are_copied_and_removed():
    deepest = '/'.join(['d'] * 64)
    done = capos('shell', '--tmp', '1M', '--tmp', '1M:other', '--', '-c', f'mkdir -p tmp/{deepest}',
                 'cp -r tmp/d other', 'mv tmp/d other/d/x',     # one name too deep
                 'ls other/d', f'ls tmp/{deepest[2:]}', 'rm -r tmp/d', 'rm -r other/d', 'ls tmp other')
    expect(done, 0, b'mv exited with 1\nd/\nd/\ntmp:\n\nother:\n', 'mv: tmp/d: path: 1 to 64 names')


def boot_files_are_read_and_not_changed():
    done = on_boot_files('head', '-c', '4', 'boot-files/ls')
    expect(done, 0, b'\x7fELF')
    done = on_boot_files('ls', 'boot-files')
    expect(done, 0)
    names = done.stdout.decode().split()
    assert 'ls' in names and 'manifest' in names and names == sorted(names), names
    whole = on_boot_files('cat', 'boot-files/wc')
    expect(whole, 0)
    done = on_boot_files('wc', '-c', 'boot-files/wc')
    expect(done, 0, b'%7d boot-files/wc\n' % len(whole.stdout))
    for command in (['rm', 'boot-files/ls'], ['mkdir', 'boot-files/new'],
                    ['cp', 'boot-files/ls', 'boot-files/new'],
                    ['mv', 'boot-files/ls', 'boot-files/new']):
        expect(on_boot_files(*command), 1, b'', 'read-only')


def what_goes_wrong_is_said_with_the_name():
    expect(on_boot_files('cat', 'boot-files/nothing'), 1, b'',
           'cat: boot-files/nothing: no such file or directory')
    expect(on_boot_files('cat', 'elsewhere/x'), 1, b'',
           'cat: elsewhere/x: no such file or directory')
    expect(on_boot_files('cat', 'boot-files/ls/x'), 1, b'',
           'cat: boot-files/ls/x: not a directory')
    expect(on_boot_files('cat', '../x'), 1, b'', 'cat: ../x: leads out of the directory')
    expect(on_boot_files('wc', '-x'), 2, b'', 'wc: there is no option -x')
    expect(on_boot_files('cp', 'boot-files/ls'), 2, b'', 'usage: cp [-r] FROM... TO')
    expect(on_boot_files('grep', '[a', 'boot-files/ls'), 2, b'', 'the pattern has an open [')
    expect(on_boot_files('rm', '--help'), 0, stderr='')


def filters_read_standard_input():
    text = b'one\ntwo words\nthree\n'
    expect(on_boot_files('cat', stdin=text), 0, text)
    expect(on_boot_files('wc', stdin=text), 0, b'      3       4      20 -\n')
    expect(on_boot_files('head', '-n', '2', stdin=text), 0, b'one\ntwo words\n')
    expect(on_boot_files('grep', '-n', '^t.*e*s*$', stdin=text), 0, b'2:two words\n3:three\n')
    expect(on_boot_files('grep', '-c', 'e$', stdin=text), 0, b'2\n')
    expect(on_boot_files('grep', 'four', stdin=text), 1, b'')


main([
    files_are_made_copied_moved_and_removed,
    directories_are_moved_between_services_whole_or_not_at_all,
    the_deepest_directories_are_copied_and_removed,
    boot_files_are_read_and_not_changed,
    what_goes_wrong_is_said_with_the_name,
    filters_read_standard_input,
])
