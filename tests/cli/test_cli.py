#!/usr/bin/env python3
"""The command line as real processes in folders of their own: each verb, its exit codes, its JSON; then two
daemons on loopback that carry what a plain editor writes."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RAPPORT = os.path.join(TOP, os.environ.get('B', 'build'), 'rapport')
SCHEDULE = os.path.join(TOP, 'tests/samples/fosdem-2023-sample.xml')
MOST_S = 10  # a bound on what must not hang, never a measurement
TESTS = []


class Failure(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


def check(is_so, what):
    if not is_so:
        raise Failure(what)


def equal(found, wanted, what):
    check(found == wanted, f'{what}: {found!r}, wanted {wanted!r}')


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()

    def rows(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def object(self):
        found = json.loads(self.out)
        equal(found['version'], 1, 'version of the JSON')
        return found


class Person:
    """Somebody with a state folder and one report's folder."""

    def __init__(self, work, name):
        self.home, self.dir, self.name = os.path.join(work, 'home', name), os.path.join(work, name), name
        os.makedirs(self.home, 0o700)
        self.env = {k: v for k, v in os.environ.items() if k not in ('VISUAL', 'EDITOR', 'NO_COLOR')}
        self.env.update(RAPPORT_HOME=self.home, RAPPORT_LAN='off', RAPPORT_TAILNET='off', TZ='UTC')

    def run(self, *words, code=0, stdin='', cwd=None, env=None):
        done = subprocess.run([RAPPORT, *words], input=stdin.encode(), capture_output=True, timeout=120,
                              cwd=cwd or (self.dir if os.path.isdir(self.dir) else None), env={**self.env, **(env or {})})
        r = Result(done)
        check(r.code == code, f'{self.name}: rapport {" ".join(words)}: ended with {r.code}, wanted {code}\n{r.out}{r.err}')
        return r

    def init(self, title='A Report'):
        self.run('init', title, '--dir', self.dir, '--name', self.name.title(), cwd='/')
        return self

    def write(self, path, text, mode='w'):
        with open(os.path.join(self.dir, path), mode) as f:
            f.write(text)

    def read(self, path):
        with open(os.path.join(self.dir, path)) as f:
            return f.read()

    def status(self):
        return self.run('--json', 'status').object()


def until(what, ask):
    """Asks until the answer is true; a bound, so that a failure is one."""
    end = time.monotonic() + MOST_S
    while not (answer := ask()):
        check(time.monotonic() < end, f'not within {MOST_S} s: {what}')
        time.sleep(0.002)
    return answer


# ---- usage ----

@test
def usage_and_help(work):
    """help is on stdout, mistakes are one line on stderr with exit 2"""
    p = Person(work, 'ada')
    for words in (['help'], ['--help'], ['-h'], ['help', 'schedule', 'import'], ['help', 'schedule'], ['ls', '--help'],
                  ['show', '-h'], ['help', 'help']):
        r = p.run(*words)
        check(r.out.startswith('rapport') and not r.err, f'help of {words}: {r.out[:80]!r} {r.err!r}')
    r = p.run(code=2)
    check(not r.out and 'usage:' in r.err, 'a bare command shows short help on stderr')
    for words in (['frobnicate'], ['ls', '--frobnicate'], ['show'], ['ls', 'x'], ['invite', '--uses', 'many'], ['undo'],
                  ['publish'], ['new'], ['jot', '-C'], ['help', 'frobnicate']):
        r = p.run(*words, code=2)
        check(not r.out and r.err.startswith('rapport'), f'{words}: {r.out!r} {r.err!r}')
    check('did you mean status' in p.run('statsu', code=2).err, 'a slip is understood')
    version = p.run('version').out
    equal(version, p.run('--version').out, 'version by both ways')
    check(re.fullmatch(r'rapport \d+\.\d+\.\d+\n', version), version)
    equal(p.run('--json', 'version').object()['rapport'], version.split()[1], 'version as JSON')


@test
def outside_of_a_report(work):
    """every verb that needs a report says that there is none, exit 4"""
    p = Person(work, 'ada')
    os.mkdir(p.dir)
    for words in (['ls'], ['status'], ['up'], ['down'], ['sync'], ['peers'], ['jot', 'x'], ['show', 'x'], ['invite'],
                  ['outline'], ['publish', '--to', 'html'], ['member', 'ls'], ['schedule', 'ls'], ['log'], ['new', 'x']):
        r = p.run(*words, code=4)
        check('not inside a report' in r.err and not r.out, f'{words}: {r.err!r}')
    p.run('-C', '/nowhere/at/all', 'ls', code=1)
    p.run('down', '--all')


@test
def relative_home(work):
    """a relative RAPPORT_HOME is one from where rapport was started, also with -C"""
    p = Person(work, 'ada').init()
    env = {'RAPPORT_HOME': 'home/ada'}
    equal(p.run('-C', p.dir, '--json', 'status', cwd=work, env=env).object()['name'], 'Ada', 'name')
    equal(sorted(os.listdir(p.dir)), ['.rapport', 'notes'], 'what stands in the report')


# ---- reports and notes ----

@test
def init_makes_a_report(work):
    """init names the folder by the title, takes files that are there, and refuses a second report"""
    p = Person(work, 'ada')
    os.makedirs(os.path.join(p.dir, 'notes'))
    r = p.run('init', 'Fête of', 'Ünits!', '--name', 'Ada', cwd=p.dir)
    equal(r.out, os.path.join(p.dir, 'fête-of-ünits') + '\n', 'folder')
    p.write('notes/mine.md', '# Mine\n\nwas here before\n')
    found = p.run('--json', 'init', 'Second', '--dir', '.', '--name', 'Ada').object()
    equal((found['title'], found['notes'], found['dir']), ('Second', 1, p.dir), 'report')
    equal(p.run('show', 'mine').out, '# Mine\n\nwas here before\n', 'note')
    check('already' in p.run('init', 'Third', '--dir', '.', code=3).err, 'a second report is refused')
    check('title' in p.run('init', ' ', code=2).err, 'a report needs a title')
    check('title' in p.run('init', '', code=2).err, 'also inside of a report')
    equal(p.status()['notes'], 1, 'notes')


@test
def notes_offline(work):
    """new, jot, ls, show, mv, rm, log work on the folder without a daemon, and say that none runs"""
    p = Person(work, 'ada').init()
    r = p.run('new', 'Head', 'scale')
    equal(r.out, os.path.join(p.dir, 'notes/head-scale.md') + '\n', 'file')
    check('nothing is running' in r.err, 'the line about friends')
    check(not p.run('-q', 'jot', 'x').err, '-q is quiet')
    equal(p.read('notes/head-scale.md'), '# Head scale\n\n', 'new note')
    p.write('notes/head-scale.md', 'typed in an editor\n', 'a')
    check('typed in an editor' in p.run('show', 'head').out, 'show takes the file in')
    p.run('jot', '--note', 'head-scale', 'jotted', 'down')
    check('jotted down\n' in p.read('notes/head-scale.md'), 'jot writes the file')
    p.run('jot', '-', stdin='from a pipe\n')
    check('from a pipe' in p.read('notes/jots-ada.md'), 'jot from stdin')
    rows = p.run('--json', 'ls').rows()
    equal(sorted(r['path'] for r in rows), ['notes/head-scale.md', 'notes/jots-ada.md'], 'ls')
    check(all(len(r['id']) == 32 and r['title'] and not r['trashed'] for r in rows), rows)
    text = p.run('ls').out
    check('notes/head-scale.md' in text and 'Head scale' in text and '\033' not in text, text)
    before = p.read('notes/head-scale.md')
    p.run('mv', 'head-scale', 'notes/tailnets.md')
    equal(p.read('notes/tailnets.md'), before, 'renamed file')
    check(not os.path.exists(os.path.join(p.dir, 'notes/head-scale.md')), 'the old name is gone')
    equal(p.run('show', 'notes/tailnets.md').out, before, 'a path')
    equal(p.run('show', 'tailnets.md', cwd=os.path.join(p.dir, 'notes')).out, before, 'a file from a folder below')
    note = p.run('--json', 'show', 'tailnets').object()
    equal((note['text'], note['note']['path']), (before, 'notes/tailnets.md'), 'show as JSON')
    equal(p.run('show', note['note']['id'][:8]).out, before, 'an id')
    lines = p.run('--json', 'log', 'tailnets').rows()
    check(lines and all(re.fullmatch(r'[0-9a-f]{8}@\d+', line['version']) for line in lines), lines)
    check(any(line['created'] for line in lines) and any(line['renamed'] for line in lines), lines)
    equal(len(p.run('--json', 'log', '--limit', '2').rows()), 2, 'log --limit')
    check('Ada' in p.run('log').out, 'log for people')
    p.run('rm', 'tailnets')
    equal([r['path'] for r in p.run('--json', 'ls').rows()], ['notes/jots-ada.md'], 'ls after rm')
    equal([r['title'] for r in p.run('--json', 'ls', '--trash').rows()], ['Head scale'], 'ls --trash')
    status = p.status()
    equal((status['notes'], status['trashed'], status['daemon'], status['unsaved']), (1, 1, False, 0), 'status')
    check(re.fullmatch('[0-9a-f]{32}', status['digest']), status['digest'])
    text = p.run('status').out
    check('next: rapport invite' in text and status['digest'] in text, text)
    equal(p.run('--json', 'peers').rows(), [], 'peers')
    member, = p.run('--json', 'member', 'ls').rows()
    equal((member['name'], member['self'], member['removed']), ('Ada', True, False), 'member')
    check('this device' in p.run('member', 'ls').out, 'member ls for people')


@test
def notes_not_found(work):
    """an unknown note is exit 4, one that several have exit 3 with their paths, a path outside exit 2"""
    p = Person(work, 'ada').init()
    for verb in (['show'], ['edit'], ['rm'], ['log']):
        check('nothere' in p.run(*verb, 'nothere', code=4).err, verb)
    p.run('jot', '--note', 'nothere', 'x', code=4)
    p.run('mv', 'nothere', 'notes/x.md', code=4)
    p.run('new', 'Same one')
    p.run('new', 'Same two')
    err = p.run('show', 'Same', code=3).err
    check('notes/same-one.md' in err and 'notes/same-two.md' in err, err)
    p.run('mv', 'same-one', '../outside.md', code=2)
    p.run('mv', 'same-one', '/tmp/outside.md', code=2)
    p.run('show', 'same-one', '--at', '@99', code=4)
    p.run('jot', stdin='', code=2)
    p.run('jot', '-', stdin='', code=2)


@test
def editor(work):
    """new and edit run the editor with its arguments on a terminal only; what it saved is taken in"""
    p = Person(work, 'ada').init()
    p.run('new', 'One', env={'EDITOR': 'false'})
    script = os.path.join(work, 'editor')
    with open(script, 'w') as f:
        f.write('#!/bin/sh\nprintf "%s\\n" "$1" >>"$2"\n')
    os.chmod(script, 0o755)
    p.run('edit', 'one', env={'EDITOR': 'false', 'VISUAL': f'{script} "with words"'})
    check(p.run('show', 'one').out.endswith('with words\n'), 'the text of the editor')
    r = p.run('edit', 'one', env={'EDITOR': 'false'}, code=1)
    check('notes/one.md' in r.err, 'a failed editor names the file')
    check('set $EDITOR' in p.run('edit', 'one', env={'EDITOR': '/no/such/editor'}, code=1).err, 'no editor')


@test
def terminal_text(work):
    """text of others cannot steer a terminal: escapes are shown in messages and tables, bytes kept in pipes"""
    p = Person(work, 'ada').init()
    os.makedirs(os.path.join(p.dir, 'notes'), exist_ok=True)
    p.write('notes/evil.md', '# \033]0;owned\007 \u202etitle\n\033[2Jtext\n')
    for words in (['ls'], ['log'], ['status'], ['member', 'ls']):
        out = p.run(*words).out
        check('\033' not in out and '\007' not in out and '\u202e' not in out, f'{words}: {out!r}')
    check('\033[2J' in p.run('show', 'evil').out, 'bytes on a pipe')
    shown = on_terminal(p, ['show', 'evil'])
    check('text' in shown and '\033[2J' not in shown, f'{shown!r}')
    err = p.run('show', 'no\033[2J', code=4).err
    check('\033' not in err, f'{err!r}')
    check('\033[' in on_terminal(p, ['status']), 'colours on a terminal')
    check('\033[' not in on_terminal(p, ['status'], {'NO_COLOR': '1'}), 'NO_COLOR')
    check('\033[' not in on_terminal(p, ['status'], {'TERM': 'dumb'}), 'TERM=dumb')
    check('\033[' not in on_terminal(p, ['--no-color', 'status']), '--no-color')


def on_terminal(p, words, env=None):
    """What a terminal of 80 columns is given."""
    import fcntl
    import pty
    import struct
    import termios
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
    child = subprocess.Popen([RAPPORT, *words], stdin=theirs, stdout=theirs, stderr=theirs, cwd=p.dir,
                             env={**p.env, 'TERM': 'xterm', **(env or {})}, start_new_session=True)
    os.close(theirs)
    shown = b''
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    child.wait(MOST_S)
    return shown.decode()


@test
def streams(work):
    """a reader that goes is quiet, a full disk is said, Ctrl-C is 130"""
    p = Person(work, 'ada').init()
    p.write('big.md', '# Big\n' + 'word ' * 200000)
    p.run('ls')
    r = subprocess.run(f'"{RAPPORT}" show big | head -c 10', shell=True, capture_output=True, cwd=p.dir, env=p.env)
    equal(r.stderr, b'', 'stderr with a reader that went')
    with open('/dev/full', 'w') as full:
        r = subprocess.run([RAPPORT, 'show', 'big'], stdout=full, stderr=subprocess.PIPE, cwd=p.dir, env=p.env)
    check(r.returncode == 1 and b'stdout' in r.stderr, f'{r.returncode} {r.stderr!r}')
    child = subprocess.Popen([RAPPORT, 'jot', '-'], stdin=subprocess.PIPE, cwd=p.dir, env=p.env)
    until('it catches Ctrl-C', lambda: catches(child.pid, signal.SIGINT))
    child.send_signal(signal.SIGINT)
    equal(child.wait(MOST_S), 130, 'status after Ctrl-C')


def catches(pid, number):
    with open(f'/proc/{pid}/status') as f:
        mask = int(re.search(r'SigCgt:\s*([0-9a-f]+)', f.read()).group(1), 16)
    return mask >> (number - 1) & 1


@test
def locked_and_read_only(work):
    """a report that another process has open is waited for, then exit 3; a folder that refuses is said"""
    import fcntl
    p = Person(work, 'ada').init()
    lock = open(os.path.join(p.dir, '.rapport/lock'), 'r+')
    fcntl.flock(lock, fcntl.LOCK_EX)
    start = time.monotonic()
    err = p.run('ls', code=3).err
    check(time.monotonic() - start >= 1, 'it waits for a verb that is about to end')
    check('open' in err or 'process' in err, err)
    lock.close()
    p.run('ls')
    closed = '/sys'  # not even root makes folders there
    if os.getuid() != 0:
        closed = os.path.join(work, 'closed')
        os.mkdir(closed, 0o500)
    r = subprocess.run([RAPPORT, 'init', 'X', '--dir', os.path.join(closed, 'x')], capture_output=True, env=p.env)
    check(r.returncode in (1, 3) and closed in r.stderr.decode(), f'{r.returncode} {r.stderr.decode()}')


# ---- conference and post ----

@test
def schedule_and_post(work):
    """import, ls, new --talk, outline, publish: from a schedule to a post"""
    p = Person(work, 'ada').init('FOSDEM 2023')
    found = p.run('--json', 'schedule', 'import', SCHEDULE).object()
    equal((found['title'], found['talks']), ('FOSDEM 2023', 21), 'import')
    with open(SCHEDULE) as f:
        p.run('schedule', 'import', '-', '--zone', 'Europe/Brussels', stdin=f.read())
    for bad in ('', 'no schedule', '<schedule>', '<html/>', '\0\1\2'):
        p.run('schedule', 'import', '-', stdin=bad, code=65)
    p.run('schedule', 'import', '/no/such/file', code=4)
    talks = p.run('--json', 'schedule', 'ls').rows()
    equal(len(talks), 21, 'talks')
    days = {t['day'] for t in talks}
    equal(sum(len(p.run('--json', 'schedule', 'ls', '--day', d).rows()) for d in days), 21, 'talks by day')
    room = p.run('--json', 'schedule', 'ls', '--room', talks[0]['room']).rows()
    check(room and all(t['room'] == talks[0]['room'] for t in room), room)
    check(talks[0]['title'] in p.run('schedule', 'ls').out, 'schedule ls for people')
    first = p.run('new', '--talk', '14550').out
    again = p.run('new', '--talk', '14550')
    equal(again.out, first, 'a note of a talk is made once')
    check('already' in again.err, again.err)
    p.run('new', '--talk', '1', code=4)
    with open(first.strip(), 'a') as f:
        f.write('a line of mine\n')
    found = p.run('--json', 'outline').object()
    check(found['changed'] and '![[' in p.read('report.md'), found)
    check(not p.run('--json', 'outline').object()['changed'], 'a second outline changes nothing')
    for target in ('markdown', 'hugo', 'html'):
        found = p.run('--json', 'publish', '--to', target, '--out', f'../out-{target}').object()
        equal(os.path.realpath(found['out']), os.path.join(work, f'out-{target}'), 'folder')
        with open(os.path.join(found['out'], found['files'][0])) as f:
            check('a line of mine' in f.read(), target)
    path = p.run('publish', '--to', 'markdown').out.strip()
    with open(path, 'a') as f:
        f.write('mended by hand\n')
    r = p.run('publish', '--to', 'markdown', code=3)
    check('changed by hand' in r.err and 'mended by hand' in open(path).read(), r.err)
    p.run('publish', '--to', 'gopher', code=2)


# ---- tickets ----

@test
def bad_tickets(work):
    """what is no ticket, a cut, a slip and an old ticket are told apart, leave nothing behind, exit 65"""
    p = Person(work, 'ada').init()
    ticket = p.run('invite', '--uses', '3').out.strip()
    found = p.run('--json', 'join', '--dry-run', ticket).object()
    equal(found['uses'], 3, 'uses')
    check(found['expires_s'] > time.time() + 86400, found)
    check('3 friends' in p.run('join', '-n', '-', stdin=ticket.upper() + '\n').out, 'from stdin, in capitals')
    slip = ticket[:-1] + ('a' if ticket[-1] != 'a' else 'b')
    old = p.run('invite', '--expires', '1s').out.strip()
    equal(p.run('--json', 'invite', '--uses', '2').object()['uses'], 2, 'invite as JSON')
    there = os.path.join(work, 'elsewhere')
    os.mkdir(there)
    until('the ticket is old', lambda: expired(p, old))
    for bad, word in (('hello', 'not a ticket'), (ticket[:-9], ''), (slip, ''), (old, 'valid until'), ('', 'not a ticket')):
        r = p.run('join', bad, 'x', cwd=there, code=65)
        check(word in r.err, f'{bad[:12]}: {r.err}')
    check('missing' in p.run('join', ticket[:60], cwd=there, code=65).err, 'a cut is called a cut')
    equal(os.listdir(there), [], 'what a failed join leaves')


def expired(p, ticket):
    done = subprocess.run([RAPPORT, 'join', '--dry-run', ticket], capture_output=True, env=p.env)
    return done.returncode == 65


# ---- daemons ----

def up(p, *words):
    p.run('up', '--detach', '--listen', '127.0.0.1:0', *words)


def down(p):
    p.run('down', '--all')


def join(host, guest, *words):
    ticket = host.run('invite').out.strip()
    guest.run('join', '-', guest.dir, '--name', guest.name.title(), '--listen', '127.0.0.1:0', *words, stdin=ticket, cwd='/')


@test
def nobody_reachable(work):
    """sync and join end with 5 when nobody answers, and a failed join leaves nothing"""
    ada, bram = Person(work, 'ada').init(), Person(work, 'bram')
    ada.run('sync', '--wait', '1', '--listen', '127.0.0.1:0', code=5)
    equal(ada.run('--json', 'sync', '--wait', '1', '--listen', '127.0.0.1:0', code=5).object()['connected'], 0, 'connected')
    up(ada)
    try:
        ticket = ada.run('invite').out.strip()
        ada.run('sync', '--wait', '1', code=5)
    finally:
        down(ada)
    r = bram.run('join', ticket, bram.dir, '--wait', '1', '--listen', '127.0.0.1:0', code=5, cwd=work)
    check('rapport up' in r.err and not os.path.exists(bram.dir), r.err)
    bram.run('join', ticket, '--wait', '1', '--listen', '127.0.0.1:0', code=5, cwd=work)
    equal([n for n in os.listdir(work) if n.startswith('rapport-join')], [], 'folders left')


@test
def two_daemons(work):
    """a friend joins; what a plain editor writes in one folder stands in the other, both ways"""
    ada, bram = Person(work, 'ada').init('Two'), Person(work, 'bram')
    ada.run('new', 'Shared')
    up(ada)
    try:
        join(ada, bram)
        equal(bram.run('show', 'shared').out, '# Shared\n\n', 'the note came with the join')
        equal(len(ada.run('--json', 'member', 'ls').rows()), 2, 'members')
        up(bram)
        until('connected', lambda: ada.status()['peers']['connected'] and bram.status()['peers']['connected'])
        times = [carried(ada, bram, 'from ada'), carried(bram, ada, 'from bram')]
        print(f'    a save of a file stands in the other folder after {times[0]:.0f} and {times[1]:.0f} ms')
        check(not ada.run('jot', 'x').err.count('nothing is running'), 'with a daemon, nothing is said of one')
        ada.run('sync', '--wait', str(MOST_S))
        bram.run('sync', '--wait', str(MOST_S))
        equal(ada.status()['digest'], bram.status()['digest'], 'digests')
        check('in sync with 1 peer' in ada.run('sync').out, 'sync for people')
        text = bram.run('status').out
        check('Ada' in text and 'connected' in text, text)
        peer = next(r for r in ada.run('--json', 'peers').rows() if r['state'] == 'connected')
        equal((peer['name'], peer['unacknowledged'], peer['behind']), ('Bram', 0, 0), 'peer')
        check('Bram' in ada.run('peers').out, 'peers for people')
    finally:
        down(ada)
        down(bram)
    check(not ada.status()['daemon'], 'the daemon is down')
    ada.run('down')


def doctor(p, code=0):
    """What doctor says, by area, and the one next thing."""
    r = p.run('--json', 'doctor', code=code).object()
    areas = {}
    for found in r['findings']:
        check(found['state'] in ('fine', 'note', 'problem') and found['text'], found)
        areas.setdefault(found['area'], []).append(found)
    equal(r['problems'] > 0, code == 3, 'exit 3 exactly where there is a problem')
    return areas, r['next']


@test
def doctor_without_daemon(work):
    """doctor alone: looks around for a moment, covers each area, says the one next thing, changes nothing"""
    ada = Person(work, 'ada').init('Ill')
    before = ada.status()['digest']
    areas, next_thing = doctor(ada)
    equal(list(areas), ['daemon', 'store', 'disk', 'files', 'clock', 'lan', 'tailnet', 'listen', 'firewall', 'friends',
                        'sleep'], 'areas, the most urgent first')
    equal(next_thing, 'rapport up --detach', 'next')
    equal(areas['friends'][0]['todo'], 'rapport invite', 'nobody else is in')
    equal(ada.status()['digest'], before, 'digest')
    text = ada.run('doctor').out
    check('no problem\nnext: rapport up --detach\n' in text and 'do: rapport invite' in text, text)
    ada.run('doctor', code=4, cwd='/')


@test
def doctor_damaged(work):
    """doctor where the report cannot be opened: it says so, and what it can see all the same"""
    ada = Person(work, 'ada').init('Damaged')
    ada.write('.rapport/report.db', 'no database at all\n' * 100)
    areas, next_thing = doctor(ada, code=3)
    equal(areas['store'][0]['state'], 'problem', 'the database')
    check('join again' in next_thing and areas['disk'], next_thing)


@test
def doctor_with_friends(work):
    """doctor, status and peers: a friend by which path, then gone: since when and why, in words"""
    ada, bram = Person(work, 'ada').init('Well'), Person(work, 'bram')
    up(ada)
    try:
        join(ada, bram)
        up(bram)
        log = os.path.join(bram.home, 'log')
        until('connected', lambda: os.path.exists(log) and 'Ada is connected' in open(log).read())
        friend = bram.status()['friends'][0]
        equal((friend['name'], friend['connected'], friend['path'], friend['why']), ('Ada', True, 'here', ''), 'friend')
        check(friend['since'] and friend['last_heard'], friend)
        areas, _ = doctor(bram)
        check('Ada is connected' in areas['friends'][0]['text'], areas['friends'])
        check('within a second' in areas['clock'][0]['text'], areas['clock'])
        check(areas['daemon'][0]['text'].startswith('process '), areas['daemon'])
        down(ada)
        until('gone', lambda: not bram.status()['peers']['connected'])
        friend = until('tried', lambda: (f := bram.status()['friends'][0])['next_try'] and f)
        check(not friend['connected'] and friend['why'] and friend['last_heard'], friend)
        equal(bram.status()['network'], [], 'a friend who is simply away is no trouble')
        areas, next_thing = doctor(bram)
        check('Ada is not connected, last heard' in areas['friends'][0]['text'], areas['friends'])
        text = bram.run('status').out
        check('nobody is connected' in text and 'Ada, not connected, last heard' in text, text)
        row = bram.run('--json', 'peers').rows()[0]
        equal((row['state'], row['path'], bool(row['why'])), ('waiting', 'here', True), 'peer')
    finally:
        down(bram)
        down(ada)


@test
def doctor_stuck_daemon(work):
    """a daemon that does not answer is named, in bounded time"""
    ada = Person(work, 'ada').init('Stuck')
    up(ada)
    pid = int(ada.read('.rapport/lock').split()[0])
    os.kill(pid, signal.SIGSTOP)
    try:
        r = ada.run('doctor', code=3)
        check(f'kill {pid}' in r.err, r.err)
    finally:
        os.kill(pid, signal.SIGCONT)
        down(ada)


def carried(writer, reader, text):
    start = time.monotonic()
    writer.write('notes/shared.md', text + '\n', 'a')
    until(f'"{text}" in the other folder', lambda: text in reader.read('notes/shared.md'))
    return (time.monotonic() - start) * 1000


@test
def join_merges(work):
    """joining into a folder with files merges: nothing is overwritten or lost on either side"""
    ada, bram = Person(work, 'ada').init('Merge'), Person(work, 'bram')
    os.makedirs(os.path.join(bram.dir, 'notes'))
    bram.write('notes/mine.md', '# Mine\n')
    bram.write('notes/same.md', '# Same\n\nof Bram\n')
    os.makedirs(os.path.join(ada.dir, 'notes'), exist_ok=True)
    ada.write('notes/same.md', '# Same\n\nof Ada\n')
    up(ada)
    try:
        join(ada, bram)
    finally:
        down(ada)
    everything = ''.join(r['path'] + bram.run('show', r['id']).out for r in bram.run('--json', 'ls').rows())
    check('of Bram' in everything and 'of Ada' in everything and '# Mine' in everything, everything)


@test
def join_names_the_folder(work):
    """join without a folder makes one named by the report's title, beside what has that name"""
    ada, bram = Person(work, 'ada').init('My Talks'), Person(work, 'bram')
    there = os.path.join(work, 'there')
    os.makedirs(os.path.join(there, 'my-talks/full'))
    up(ada)
    try:
        ticket = ada.run('invite', '--uses', '2').out.strip()
        found = bram.run('--json', 'join', ticket, '--name', 'Bram', '--listen', '127.0.0.1:0', cwd=there).object()
    finally:
        down(ada)
    equal(found['dir'], os.path.join(there, 'my-talks-2'), 'folder')
    equal(sorted(os.listdir(there)), ['my-talks', 'my-talks-2'], 'folders')


@test
def invite_waits_on_a_terminal(work):
    """without a daemon, invite on a terminal serves until the friend is in, then says who came"""
    ada, bram = Person(work, 'ada').init('Wait'), Person(work, 'bram')
    import pty
    ours, theirs = pty.openpty()
    child = subprocess.Popen([RAPPORT, 'invite', '--listen', '127.0.0.1:0'], stdin=theirs, stdout=theirs, stderr=theirs,
                             cwd=ada.dir, env=ada.env, start_new_session=True)
    os.close(theirs)
    shown = b''
    try:
        while not (found := re.search(rb'rapport1[a-z2-7]+\r\n', shown)):
            shown += os.read(ours, 4096)
        bram.run('join', found.group().decode().strip(), bram.dir, '--name', 'Bram', '--listen', '127.0.0.1:0', cwd='/')
        while b'Bram is in' not in shown:
            shown += os.read(ours, 4096)
        equal(child.wait(MOST_S), 0, 'status of invite')
    except OSError as error:
        raise Failure(f'{error}: {shown.decode()}') from error
    finally:
        if child.poll() is None:
            child.kill()
        os.close(ours)


def main():
    if not os.access(RAPPORT, os.X_OK):
        print(f'skipped: {RAPPORT} is not built\n0 passed, 0 failed, 1 skipped')
        return
    chosen = [t for t in TESTS if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    passed = failed = 0
    for t in chosen:
        # Beside /tmp nothing may be inside of a report.
        work = os.path.realpath(tempfile.mkdtemp(prefix='rapport-cli-'))
        try:
            t(work)
            passed += 1
        except (Failure, subprocess.TimeoutExpired, ValueError, KeyError, StopIteration, OSError) as error:
            failed += 1
            print(f'FAILED {t.__name__}: {t.__doc__}\n    {type(error).__name__}: {error}')
        finally:
            shutil.rmtree(work, ignore_errors=True)
    print(f'{passed} passed, {failed} failed')
    sys.exit(failed != 0)


main()
