"""Names that mean harm, and what may come of them: for hostile_names.bats.

    hostile_names.py deliver DIR harm|plain   a batch of two nodes, with a job for each name
    hostile_names.py refused DIR              batches that no book may take; prints name and reason
    hostile_names.py text|parsable|csv|html|svg ...   look at output; says what is wrong with it

The names are those of users, accounts, partitions, qualities of service, jobs, sensors, nodes and
the cluster. `plain` has harmless ones in their places, so that pages can be compared.
"""
import csv
import glob
import html.parser
import os
import sys
import xml.etree.ElementTree
import zlib

LABEL_BYTES = 128  # core/mark.h: LABEL_SIZE - 1
SENSOR_BYTES = 23  # core/batch.h: SENSOR_NAME_SIZE - 1
FIRST_JOB = 1001
BEGIN_S = 1790812800  # 2026-10-01T00:00:00Z
HOUR_S = 3600
NS = 10**9

# Of a job: any bytes but NUL are a name.
NAMES = [
    b'\x1b[31mred\x1b[0m\x1b]0;title\x07',
    b'line\nbreak\r\nand\ttab\x0b\x0c',
    b'\x01\x08\x7f',
    b'C1: \xc2\x9b31m \xc2\x90',
    b'raw C1: \x9b31m',
    b'turned \xe2\x80\xae txt.exe \xe2\x81\xa6 \xe2\x80\x8b',
    b'no UTF-8: \xff\xfe \xc3 \xed\xa0\x80 \xc0\xaf',
    b'"double", \'single\', `back`; | \\ pipe',
    b'",=1+1,"',
    b'=1+1',
    b'+1+1',
    b'-1+1',
    b'@SUM(1)',
    b'\t=1+1',
    b'\r=1+1',
    b'\n=1+1',
    b' =1+1',
    b'\xef\xbc\x9d1+1',
    b'=cmd|\' /C calc\'!A0',
    b'</title><script>alert(1)</script>',
    b'"><img src=x onerror=alert(1)>',
    b'\' onmouseover=\'alert(1)',
    b']]><!--',
    b'-->&lt;&#60;&amp;',
    b'</style></svg><svg onload=alert(1)>',
    b'\'; DROP TABLE job; --',
    b'%s%n%d%99999d',
    b'../../../../etc/passwd',
    b'NULL',
    b'',
    b' ',
    b'1e3',
    b'x' * LABEL_BYTES,
    b'\x1b' * LABEL_BYTES,
    b'\xc3\xbc' * (LABEL_BYTES // 2),
]
# Of nodes and clusters: what is printable, and no '/', which no file's name can have.
NODES = [b'=2+5;"<img src=x onerror=alert(1)>,|', b'-n\xc2\x9b31m\xe2\x80\xae\xff']
CLUSTER = b'=3+4,"\'<script>alert(1)<!-- -->|'


def escaped(value):
    """As core/record.c writes a text."""
    return b''.join(b'%%%02X' % c if c <= 32 or c >= 127 or c in b'%=' else bytes([c])
                    for c in value)


def record(kind, **fields):
    parts = [kind.encode()]
    for key, value in fields.items():
        value = escaped(value) if isinstance(value, bytes) else str(value).encode()
        parts.append(key.encode() + b'=' + value)
    return b' '.join(parts) + b'\n'


def seal(lines):
    body = b'carbon-batch 1\n' + b''.join(lines)
    return body + b'end %08x\n' % zlib.crc32(body)


def head(cluster, node, number):
    return record('head', cluster=cluster, node=node, stream='%016x' % number, seq=1,
                  boot_id=b'boot-1', version=b'0.1.0', begin_boottime_ns=0,
                  end_boottime_ns=HOUR_S * NS, begin_wall_ns=BEGIN_S * NS,
                  end_wall_ns=(BEGIN_S + HOUR_S) * NS, packages=1, cores=64, gpus=0,
                  memory_mb=1000, next_ref=1000, marks_bad=0, batches_dropped=0)


def times():
    return dict(begin_boottime_ns=0, begin_wall_ns=BEGIN_S * NS,
                end_boottime_ns=HOUR_S * NS, end_wall_ns=(BEGIN_S + HOUR_S) * NS)


def jobs_of(names):
    """Records of a job for each name; each has 1000 J, so that all stand in every table."""
    lines, uj = [], 10**9
    for i, name in enumerate(names):
        ref = i + 1
        # the array has its first job's number; of every third job, so that all forms are there
        array = dict(array_job_id=FIRST_JOB, array_task_id=i) if i % 3 == 0 else {}
        lines += [
            record('job', ref=ref, job_id=FIRST_JOB + i, uid=5000 + i, gid=5000, user=name,
                   account=name, partition=name, qos=name, name=name, **array, cores='0-3',
                   **times(), exit_status=0, flags=0),
            record('step', ref=ref, step_id=0, cores='0-3', **times(), cpu_ns=NS, exit_status=0,
                   flags=0),
            record('energy', hour_s=BEGIN_S, owner='step', ref=ref, step_id=0, component='cpu',
                   quality='measured', sensor=name[:SENSOR_BYTES], active_uj=uj, idle_uj=0,
                   metered_ns=HOUR_S * NS, elapsed_ns=HOUR_S * NS),
            record('power', minute_s=BEGIN_S, ref=ref, component='cpu', energy_uj=uj,
                   span_ns=60 * NS),
        ]
    return sorted(lines, key=lambda line: ['job', 'step', 'ener', 'powe'].index(
        line[:4].decode().strip())), uj * len(names)


def batch(cluster, node, number, names):
    lines, uj = jobs_of(names)
    return seal([
        head(cluster, node, number),
        record('counter', source=b'intel-rapl:0', sensor=b'powercap', component='cpu',
               quality='measured', domain=0, range_uj=0, max_uw=0, seen_uj=uj,
               counted_begin_uj=0, counted_uj=uj, debt_uj=0, pending_uj=0),
        *lines,
        record('total', hour_s=BEGIN_S, component='cpu', counted_uj=uj),
        record('component', component='cpu', begin_uj=0, end_uj=uj),
    ])


def put(directory, name, text):
    with open(os.path.join(os.fsencode(directory), name), 'wb') as file:
        file.write(text)


def file_name(node, number):
    return node + b'-%016x-%012x.batch' % (number, 1)


def deliver(directory, kind):
    harm = kind == 'harm'
    names = NAMES if harm else [b'name %02d' % i if name else b''
                                for i, name in enumerate(NAMES)]
    for i, node in enumerate(NODES if harm else [b'n1', b'n2']):
        cluster = CLUSTER if harm else b'c'
        put(directory, file_name(node, i + 1), batch(cluster, node, i + 1, names))


def refused(directory):
    """Files that end in quarantine, and what their reason must say."""
    long_name = b'x' * 65536

    def altered(old, new, number=iter(range(0x200, 0x300))):
        good = batch(b'c', b'n', next(number), [b'name'])
        body = good[len(b'carbon-batch 1\n'):good.rindex(b'end ')]
        assert old in body
        return seal([body.replace(old, new, 1)])

    cases = [(b'n' + bytes([c]) + b'x', 'control') for c in (1, 9, 10, 13, 27, 127)]
    for i, (node, reason) in enumerate(cases):
        put(directory, file_name(node, 0x100 + i), batch(b'c', node, 0x100 + i, [b'name']))
        print(reason)
    rest = [
        (altered(b'cluster=c ', b'cluster=c%1B[31m '), 'control'),
        (altered(b'cluster=c ', b'cluster= '), 'cluster'),
        (altered(b'cluster=c ', b'cluster=' + long_name + b' '), 'cluster=xxxx'),
        (altered(b'node=n ', b'node=' + long_name + b' '), 'node=xxxx'),
        (altered(b'node=n ', b'node=../n '), 'its head says'),
        (altered(b'user=name', b'user=' + long_name), '128 bytes'),
        (altered(b'user=name', b'user=' + b'%1B' * (LABEL_BYTES + 1)), '128 bytes'),
        (altered(b'account=name', b'account=a%00b'), 'malformed'),
        (altered(b'account=name', b'account=%1'), 'malformed'),
        (altered(b'account=name', b'account=%zz'), 'malformed'),
        (altered(b'partition=name', b'partition=a\x1b[31m \x1b'), 'not key=value'),
        (altered(b'qos=name', b'qos=a\x00b'), 'NUL'),
        (altered(b'job ref', b'job \xc2\x9b31m\xe2\x80\xae\xff ref'), 'not key=value'),
        (altered(b'sensor=powercap', b'sensor=' + long_name), '23 bytes'),
        (b'\x1b[31m' * 1000, 'torn'),
    ]
    for i, (text, reason) in enumerate(rest):
        put(directory, file_name(b'n', 0x200 + i), text)
        print(reason)
    # and names of files that no batch can have
    for i, name in enumerate([b'\x1b[31mred', b'a\nb', b'\xc2\x9b31m', b'\xff\xe2\x80\xae',
                              b'=1+1', b'-rf', b'y' * 240]):
        put(directory, name + b'.batch', b'no batch\n')
        print('torn')


# --- what came out --------------------------------------------------------------------------------

def unsafe(code):
    """What moves a terminal or turns the direction of writing; a newline and a tab may."""
    return (code < 32 and code not in (9, 10) or 127 <= code < 160 or 0x200b <= code <= 0x200f or
            0x2028 <= code <= 0x202e or 0x2060 <= code <= 0x206f or code in (0x61c, 0xfeff))


def text_of(path, also=''):
    with open(path, 'rb') as file:
        text = file.read().decode()  # UTF-8, or it fails
    bad = sorted({hex(ord(c)) for c in text if unsafe(ord(c)) and c not in also})
    if bad:
        sys.exit('%s: characters %s come as they are' % (path, ' '.join(bad)))
    return text


def check_text(*paths):
    for path in paths:
        text_of(path)


def shown(name, also):
    """As format_text() has it where the locale is UTF-8."""
    out = ''
    for c in name.decode(errors='surrogateescape'):
        code = ord(c)
        if 0xdc80 <= code <= 0xdcff:
            out += '\\x%02x' % (code - 0xdc00)
        elif unsafe(code) or code in (9, 10) or c in also:
            out += ('\\x%02x' if code < 256 else '\\u%04x') % code
        else:
            out += c
    return out


def check_parsable(path, delimiter, column):
    """Rows of as many fields, and in the column named each name, once for each node's job."""
    rows = [line.split(delimiter) for line in text_of(path).splitlines()]
    if len({len(row) for row in rows}) != 1:
        sys.exit('%s: rows differ in their fields' % path)
    found = {row[rows[0].index(column)] for row in rows[1:]}
    missing = {shown(name, delimiter) for name in NAMES if name} - found  # '' is no name
    if missing:
        sys.exit('%s: no row of %s' % (path, sorted(missing)))


def is_number(cell):
    try:
        float(cell)
        return True
    except ValueError:
        return False


def check_csv(*paths):
    """Rows of as many fields; what a spreadsheet would calculate is a number."""
    for path in paths:
        rows = list(csv.reader(text_of(path, '\r').splitlines(True), strict=True))
        if not rows or len({len(row) for row in rows}) != 1:
            sys.exit('%s: rows differ in their fields' % path)
        for cell in (cell for row in rows for cell in row):
            first = cell.lstrip(' ')[:1]
            if first and first in '=+-@\uff1d\uff0b\uff0d\uff20\t\r\n' and not is_number(cell):
                sys.exit('%s: a spreadsheet calculates %r' % (path, cell))


class Page(html.parser.HTMLParser):
    """The elements and attributes of a page, as a browser makes them."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.attributes = {}, set()
        self.feed(text_of(path))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements[tag] = self.elements.get(tag, 0) + 1
        self.attributes |= {name for name, _ in attrs}

    def handle_comment(self, data):
        self.elements['!--'] = self.elements.get('!--', 0) + 1


def check_html(harm_path, plain_path):
    harm, plain = Page(harm_path), Page(plain_path)
    if harm.attributes != plain.attributes or harm.elements != plain.elements:
        sys.exit('%s: a name made an element or an attribute: %s %s' % (
            harm_path, set(harm.elements.items()) ^ set(plain.elements.items()),
            harm.attributes ^ plain.attributes))
    xml.etree.ElementTree.parse(harm_path)


def check_svg(path):
    text_of(path)
    for element in xml.etree.ElementTree.parse(path).iter():
        if element.tag.rpartition('}')[2] in ('script', 'img', 'image', 'foreignObject', 'a'):
            sys.exit('%s: a name made a %s' % (path, element.tag))
        if any(name.startswith('on') for name in element.attrib):
            sys.exit('%s: a name made an attribute' % path)


ACTIONS = {'deliver': deliver, 'refused': refused, 'text': check_text, 'csv': check_csv,
           'parsable': check_parsable, 'html': check_html, 'svg': check_svg}
ACTIONS[sys.argv[1]](*sys.argv[2:])
