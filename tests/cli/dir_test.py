#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`capos run --dir`, booted: what a program sees of a directory of the host, and what it can't
reach.  The client is tests/system/dir_client.c, which carries out lines."""

import os
import random
import shutil
import signal
import subprocess
import threading

from case import CAPOS, HANG_SECONDS, ROOT, capos, expect, is_gone, machines_of, main, \
    temporary_folder

MIB = 1024 * 1024
SYSTEM = ['--system', 'test', '--mem', '128']


def text(name):
    """Bytes as a word of the client's."""
    name = os.fsencode(name)
    return ''.join(chr(byte) if byte < 128 and chr(byte).isalnum() or byte in b'/._' else '%%%02x' % byte
                   for byte in name) or '-'


def client(lines, operand, *options, env=None):
    """What the client answers to lines, one each; entries of `ls` come before its answer."""
    done = capos('run', *SYSTEM, '--dir', operand, *options, 'dir_client', 'data',
                 stdin='\n'.join([*lines, '']).encode(), env=env)
    expect(done, 0)
    return done.stdout.decode().splitlines()


def check(steps, operand, *options, env=None):
    """Carries out [(line, the answer)]."""
    answers = client([line for line, _ in steps], operand, *options, env=env)
    for (line, expected), answer in zip(steps, answers):
        assert answer == expected, f'{line}: {answer}, not {expected}'
    assert len(answers) == len(steps), answers[len(steps):]


def write(folder, name, content=b''):
    path = os.path.join(os.fsencode(folder), os.fsencode(name))
    with open(path, 'wb') as file:
        file.write(content)


def read(folder, name):
    with open(os.path.join(os.fsencode(folder), os.fsencode(name)), 'rb') as file:
        return file.read()


# ---- What a program sees -----------------------------------------------------------

def files_are_read_written_and_removed():
    with temporary_folder() as folder:
        write(folder, 'there', b'hello')
        os.mkdir(os.path.join(folder, 'sub'))
        check([('stat 0 there', 'ok file mode=644 links=1 size=5'),
               ('openro 0 there 1', 'ok size=5'),
               ('read 1 1 100', 'ok ello'),
               ('read 1 5 100', 'ok '),
               ('open 0 sub/new 2 c', 'ok created=1 size=0'),
               ('write 2 0 some%20text', 'ok 9'),
               ('append 2 %21', 'ok 1 at 9'),
               ('sync 2', 'ok'),
               ('read 2 5 100', 'ok text!'),
               ('write 2 20 gap', 'ok 3'),
               ('truncate 2 12', 'ok'),
               ('fstat 2', 'ok file links=1 size=12'),
               ('open 0 sub/new 3 cx', 'exists'),
               ('open 0 there 3 t', 'ok created=0 size=0'),
               ('rm 0 sub', 'notEmpty'),
               ('rm 0 there dir', 'notDirectory'),
               ('rm 0 sub file', 'isDirectory'),
               ('mkdir 0 sub', 'exists'),
               ('mkdir 0 sub/deeper', 'ok'),
               ('mv 0 sub/new 0 sub/deeper/moved', 'ok'),
               ('mv 0 sub 0 sub/deeper/x', 'intoItself'),
               ('mv 0 there 0 sub/deeper/moved refuse', 'exists'),
               ('info 0', 'ok writable=1 persistent=1 symlinks=1 total=1')],
              folder + ':data')
        assert read(folder, 'sub/deeper/moved') == b'some text!\0\0'
        assert read(folder, 'there') == b''
        assert os.stat(os.path.join(folder, 'sub/deeper/moved')).st_uid == os.getuid()


def what_is_open_outlives_its_name():
    with temporary_folder() as folder:
        write(folder, 'old', b'content')
        check([('open 0 old 1', 'ok created=0 size=7'),
               ('rm 0 old', 'ok'),
               ('open 0 old 2 c', 'ok created=1 size=0'),
               ('write 2 0 another', 'ok 7'),
               ('read 1 0 100', 'ok content'),
               ('append 1 %21', 'ok 1 at 7'),
               ('truncate 1 10', 'ok'),
               ('fstat 1', 'ok file links=0 size=10'),
               ('truncate 1 2', 'notSupported'),     # QEMU finds it by its name only
               ('chmod 1 0600', 'notSupported'),
               ('read 2 0 100', 'ok another'),
               ('mv 0 old 0 new', 'ok'),
               ('truncate 2 3', 'ok'),
               ('fstat 2', 'ok file links=1 size=3'),
               ('mkdir 0 d', 'ok'),
               ('opendir 0 d 3', 'ok'),
               ('rm 0 d', 'ok'),
               ('mkdir 0 d', 'ok'),
               ('open 3 file 4 c', 'notFound'),
               ('ls 3', 'ok 0'),
               ('mkdir 0 e', 'ok'),
               ('opendir 0 e 5', 'ok'),
               ('mv 0 e 0 f', 'ok'),
               ('open 5 file 6 c', 'ok created=1 size=0')],
              folder + ':data')
        assert sorted(os.listdir(folder)) == ['d', 'f', 'new']
        assert os.listdir(os.path.join(folder, 'f')) == ['file']


def a_large_file_streams():
    with temporary_folder() as folder:
        size = 9 * MIB + 12345
        content = bytes(i // 7 & 255 for i in range(7 * 256)) * (size // 1792 + 1)
        write(folder, 'large', content[:size])
        answers = client(['openro 0 large 1', 'sum 1', 'open 0 copy 2 c', f'fill 2 {size}',
                          'sum 2', 'many 2 200'], folder + ':data')
        assert answers[0] == f'ok size={size}', answers
        assert answers[1].startswith(f'ok {size} '), answers
        assert answers[1] == answers[4], answers
        assert answers[5] == f'ok {sum(content[:200])}', answers
        assert read(folder, 'copy') == content[:size]


def ten_thousand_files_are_listed_once_each():
    with temporary_folder() as folder:
        names = {f'file-{i}' for i in range(10_000)}
        for name in names:
            write(folder, name)
        answers = client(['ls 0', 'stat 0 file%2d9999'], folder + ':data')
        listed = [line.split()[1] for line in answers if line.startswith('entry ')]
        assert len(listed) == len(names) and set(listed) == names
        assert answers[-2:] == ['ok 10000', 'ok file mode=644 links=1 size=0']


def several_directories_are_apart():
    with temporary_folder() as one, temporary_folder() as two:
        write(one, 'a')
        write(two, 'b')
        operands = ['--dir', one + ':other:ro', '--dir', two + ':third']
        check([('stat 0 a', 'notFound'), ('stat 0 b', 'ok file mode=644 links=1 size=0')],
              two + ':data', *operands)


def the_behaviour_is_that_of_every_file_service():
    """The suite of all file services, with 10,000 random operations against a model."""
    with temporary_folder() as folder, temporary_folder() as other:
        write(other, 'file', b'to read')
        done = capos('run', *SYSTEM, '--dir', folder + ':wide', '--dir', other + ':narrow:ro',
                     'files_test')
        output = done.stdout.decode()
        failed = [line for line in output.splitlines() if line.startswith('FAIL')]
        assert not failed and done.returncode == 0, '\n'.join(failed[:5]) or done.stderr.decode()
        for name in ('wide_random_operations_do_what_the_model_says',
                     'narrow_everything_listed_can_be_read_and_nothing_changed'):
            assert f'ok {name}\n' in output, output
        assert os.listdir(folder) == [] and read(other, 'file') == b'to read'


# ---- What it can't reach -----------------------------------------------------------

def hostile_names(count):
    """Names of any bytes but those that no file has."""
    chance = random.Random(1)
    names = {b'...', b'. ', b' ', b'\n', b'-rf', b'%2e%2e', b'\xff\xfe', b'\\', b'..\\..',
             b'..%c0%af', b'a:b', b'*', b'~', b'n' * 255, b'\x7f', 'ä'.encode(), b'con', b'a,b'}
    while len(names) < count:
        name = bytes(chance.choice([1, 2, 9, 10, 32, 37, 44, 46, 58, 92, 127, 128, 255,
                                    chance.randrange(1, 256)])
                     for _ in range(chance.randrange(1, 20))).replace(b'/', b'\\')
        if name not in (b'.', b'..'):
            names.add(name)
    return sorted(names)


def names_of_any_bytes_are_names():
    names = hostile_names(200)
    with temporary_folder() as folder:
        for name in names[:100]:
            write(folder, name, name)
        word = [text(name) for name in names]
        lines = []
        for i in range(100):
            lines += [f'openro 0 {word[i]} 1', 'read 1 0 300']
        for i in range(100, 200):
            lines += [f'open 0 {word[i]} 1 cx', f'write 1 0 {word[i]}']
        answers = client([*lines, 'ls 0'], folder + ':data')
        for i in range(100):
            assert answers[2 * i] == f'ok size={len(names[i])}', (names[i], answers[2 * i])
        for i in range(100, 200):
            assert answers[2 * i] == 'ok created=1 size=0', (names[i], answers[2 * i])
        assert answers[-1] == 'ok 200', answers[-1]
        assert sorted(os.listdir(os.fsencode(folder))) == names
        assert all(read(folder, name) == name for name in names)


def no_path_leads_out():
    steps = []
    for up in ('..', '../..', '../secret', 'sub/../../secret', './../secret', '/etc/passwd', '/',
               '//', 'sub/', 'sub//x', '.', './sub', 'sub/.', 'sub/..', '../' * 40 + 'etc/passwd',
               'n' * 256, 'a/' * 64 + 'a', 'sub\0/../secret', '\0'):
        steps += [(f'{verb} 0 {text(up)}{more}', '!invalidArgument') for verb, more in
                  (('stat', ''), ('openro', ' 1'), ('open', ' 1 c'), ('opendir', ' 1'),
                   ('mkdir', ''), ('rm', ''), ('readlink', ''))]
        steps += [(f'mv 0 {text(up)} 0 x', '!invalidArgument'),
                  (f'mv 0 sub 0 {text(up)}', '!invalidArgument'),
                  (f'ln 0 target {text(up)}', '!invalidArgument')]
    with temporary_folder() as folder:
        write(folder, 'secret', b'secret')
        given = os.path.join(folder, 'given')
        os.makedirs(os.path.join(given, 'sub'))
        check(steps, given + ':data')
        assert os.listdir(given) == ['sub'] and read(folder, 'secret') == b'secret'


def no_symlink_leads_out():
    with temporary_folder() as folder:
        write(folder, 'secret', b'secret')
        given = os.path.join(folder, 'given')
        os.makedirs(os.path.join(given, 'sub/deep'))
        write(given, 'inside', b'inside')
        out = {'absolute': '/etc/passwd', 'root': '/', 'up': '../secret', 'far': '../' * 30,
               'sub/up': '../../secret', 'sub/deep/up': '../../../secret',
               'again': '../given/inside', 'through': 'sub/up', 'proc': '/proc/self/root'}
        steps = []
        for name, target in out.items():
            os.symlink(target, os.path.join(given, name))
            steps += [(f'stat 0 {text(name)}', 'outside'),
                      (f'openro 0 {text(name)} 1', 'outside'),
                      (f'open 0 {text(name)} 1 ct', 'outside'),
                      (f'opendir 0 {text(name)} 1', 'outside'),
                      (f'stat 0 {text(name)}/x', 'outside'),
                      (f'readlink 0 {text(name)}', 'ok ' + target)]
        os.symlink('sub/../inside', os.path.join(given, 'good'))
        os.symlink('../inside', os.path.join(given, 'sub/good'))
        os.symlink('b', os.path.join(given, 'a'))
        os.symlink('a', os.path.join(given, 'b'))
        os.symlink('sub', os.path.join(given, 'folder'))
        steps += [('openro 0 good 2', 'ok size=6'),
                  ('openro 0 folder/good 2', 'ok size=6'),
                  ('stat 0 a', 'tooManySymlinks'),
                  # What is inside of the whole is outside of a part.
                  ('opendir 0 sub 3', 'ok'),
                  ('stat 3 good', 'outside'),
                  ('ln 0 ../../../etc/passwd made', 'ok'),
                  ('openro 0 made 2', 'outside'),
                  ('rm 0 made', 'ok'),
                  ('rm 0 absolute', 'ok')]
        check(steps, given + ':data')
        assert read(folder, 'secret') == b'secret'


def a_symlink_put_in_place_during_the_walk_leads_nowhere():
    """A directory and a symlink to outside change places all the time."""
    with temporary_folder() as folder:
        for place, content in (('outside', b'SECRET'), ('given/inside', b'public')):
            os.makedirs(os.path.join(folder, place))
            write(folder, place + '/file', content)
        given = os.path.join(folder, 'given')
        os.symlink('../outside', os.path.join(given, 'link'))
        stop = threading.Event()

        def swap():
            names = [os.path.join(given, name) for name in ('inside', 'link', 'aside')]
            while not stop.is_set():
                for source, target in ((0, 2), (1, 0), (0, 1), (2, 0)):
                    os.rename(names[source], names[target])

        swapper = threading.Thread(target=swap)
        swapper.start()
        try:
            answers = client(['openro 0 inside/file 1', 'read 1 0 10', 'close 1'] * 300,
                             given + ':data')
        finally:
            stop.set()
            swapper.join()
        assert not any('SECRET' in answer for answer in answers)
        known = {'outside', 'notFound', 'notDirectory', 'symlink', 'noAccess',
                 'notSupported', 'ok size=6'}
        assert set(answers[::3]) <= known, set(answers[::3])


def read_only_is_refused_in_capos():
    """Also where the device would let it through."""
    with temporary_folder() as folder:
        write(folder, 'file', b'content')
        os.mkdir(os.path.join(folder, 'sub'))
        steps = [('openro 0 file 1', 'ok size=7'), ('read 1 0 9', 'ok content'),
                 ('opendirro 0 sub 2', 'ok'), ('ls 2', 'ok 0')]
        steps += [(line, '!wrongInterface') for line in
                  ('open 0 file 3', 'open 0 new 3 c', 'opendir 0 sub 3', 'mkdir 0 new',
                   'mkdir 2 new', 'rm 0 file', 'mv 0 file 0 new', 'ln 0 x y', 'write 1 0 x',
                   'append 1 x', 'truncate 1 0', 'sync 1', 'chmod 1 0777')]
        check(steps, folder + ':data:ro', env=unguarded(folder, ',readonly=on', ''))
        assert read(folder, 'file') == b'content' and \
            set(os.listdir(folder)) == {'file', 'sub', 'qemu'}


def read_only_is_refused_by_the_device():
    """Also where capOS would let it through."""
    with temporary_folder() as folder:
        write(folder, 'file', b'content')
        check([('openro 0 file 1', 'ok size=7'), ('read 1 0 9', 'ok content'),
               ('open 0 file 2', 'readOnly'), ('open 0 new 2 c', 'readOnly'),
               ('mkdir 0 new', 'readOnly'), ('rm 0 file', 'readOnly'),
               ('mv 0 file 0 new', 'readOnly'), ('ln 0 x y', 'readOnly')],
              folder + ':data', env=unguarded(folder, 'multidevs=remap',
                                              'multidevs=remap,readonly=on'))
        assert read(folder, 'file') == b'content'
        assert set(os.listdir(folder)) == {'file', 'qemu'}


def unguarded(folder, old, new):
    """An environment in which QEMU's arguments have another text in them."""
    path = os.path.join(folder, 'qemu')
    with open(path, 'w', encoding='utf-8') as file:
        file.write('#!/bin/bash\nexec %s "${@//%s/%s}"\n'
                   % (os.environ.get('CAPOS_QEMU') or shutil.which('qemu-system-x86_64'),
                      old, new))
    os.chmod(path, 0o755)
    return {'CAPOS_QEMU': path}


# ---- What happens meanwhile --------------------------------------------------------

def start(operand):
    return subprocess.Popen([CAPOS, 'run', *SYSTEM, '--dir', operand, 'dir_client', 'data'],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, cwd=ROOT)


def ask(process, line):
    process.stdin.write(line.encode() + b'\n')
    process.stdin.flush()
    return process.stdout.readline().decode().strip()


def a_directory_that_the_host_removes_is_gone():
    with temporary_folder() as folder:
        given = os.path.join(folder, 'given')
        os.makedirs(os.path.join(given, 'sub'))
        write(given, 'sub/file', b'content')
        process = start(given + ':data')
        try:
            assert ask(process, 'opendir 0 sub 1') == 'ok'
            assert ask(process, 'open 1 file 2') == 'ok created=0 size=7'
            shutil.rmtree(given)
            assert ask(process, 'stat 0 sub') == 'notFound'
            assert ask(process, 'ls 1') == 'ok 0'
            assert ask(process, 'open 1 new 3 c') == 'notFound'
            assert ask(process, 'mkdir 0 new') == 'notFound'
            assert ask(process, 'read 2 0 9') == 'ok content'
            assert ask(process, 'fstat 2') == 'ok file links=0 size=7'
            process.communicate(timeout=HANG_SECONDS)
            assert process.returncode == 0
        finally:
            process.kill()
            process.wait()


def ctrl_c_ends_the_machine():
    with temporary_folder() as folder:
        process = start(folder + ':data')
        try:
            assert ask(process, 'ls 0') == 'ok 0'
            machines = machines_of(process.pid)
            process.send_signal(signal.SIGINT)
            assert process.wait(HANG_SECONDS) == 130
            assert all(is_gone(machine) for machine in machines)
        finally:
            process.kill()
            process.communicate()


def the_status_is_the_programs():
    with temporary_folder() as folder:
        expect(capos('run', '--dir', folder + ':data', 'exitcode', '42'), 42)


def the_trace_shows_the_calls():
    with temporary_folder() as folder:
        write(folder, 'file', b'content')
        done = capos('run', *SYSTEM, '--trace', '--dir', folder + ':data:ro', 'dir_client', 'data',
                     stdin=b'openro 0 file 1\nread 1 0 9\n')
        expect(done, 0, None, 'openReadOnly')
        expect(done, 0, None, 'read')


def the_shell_holds_the_directory():
    with temporary_folder() as folder:
        write(folder, 'file', b'content')
        done = capos('shell', '--dir', folder + ':data:ro', '--', '-c', 'data.info')
        expect(done, 0)
        assert b'persistent: true' in done.stdout, done.stdout


# ---- The option --------------------------------------------------------------------

def refuses(operands, words, cwd=ROOT):
    options = [part for operand in operands for part in ('--dir', operand)]
    expect(capos('run', *options, 'echo', cwd=cwd), 125, b'', words)


def what_is_no_directory_is_refused():
    with temporary_folder() as folder:
        write(folder, 'file')
        os.mkdir(os.path.join(folder, 'data'))
        refuses([folder + '/dtaa'], 'did you mean data?')
        refuses([folder + '/nothing/like/it'], 'No such file or directory')
        refuses([folder + '/file'], 'Not a directory')
        refuses([''], '--dir takes HOST[:GUEST][:ro|rw]')
        refuses([folder + '/data:a b'], '"a b" is no name for a capability')
        refuses(['/'], '--dir HOST:NAME gives another one')
        refuses([folder + '/data', folder + '/data'], 'two directories are called data')
        refuses([folder + '/data:stdio'], 'has another capability called stdio')
        refuses([folder + '/data:budget'], 'has another capability called budget')
        refuses([f'{folder}/data:d{i}' for i in range(7)], '--dir can be given at most 6 times')
        expect(capos('run', '--grant', 'timer', '--dir', folder + '/data:timer', 'echo'), 125,
               b'', 'has another capability called timer')


def paths_with_colons_and_commas_and_the_folder_itself():
    with temporary_folder() as folder:
        strange = os.path.join(folder, 'a:b,c=d')
        os.mkdir(strange)
        write(strange, 'file')
        answers = client(['ls 0'], strange + ':data:ro')
        assert answers == ['entry file file', 'ok 1'], answers
        here = os.path.join(folder, 'data')
        os.mkdir(here)
        done = capos('run', *SYSTEM, '--dir', '.', 'dir_client', 'data', stdin=b'ls 0\n', cwd=here)
        expect(done, 0, b'ok 0\n')


if __name__ == '__main__':
    main([files_are_read_written_and_removed, what_is_open_outlives_its_name,
          a_large_file_streams, ten_thousand_files_are_listed_once_each,
          several_directories_are_apart, the_behaviour_is_that_of_every_file_service,
          names_of_any_bytes_are_names, no_path_leads_out, no_symlink_leads_out,
          a_symlink_put_in_place_during_the_walk_leads_nowhere, read_only_is_refused_in_capos,
          read_only_is_refused_by_the_device, a_directory_that_the_host_removes_is_gone,
          ctrl_c_ends_the_machine, the_status_is_the_programs, the_trace_shows_the_calls,
          the_shell_holds_the_directory, what_is_no_directory_is_refused,
          paths_with_colons_and_commas_and_the_folder_itself])
