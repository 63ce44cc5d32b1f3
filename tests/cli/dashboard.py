"""Looks into the Grafana dashboard for dashboard.bats.

dashboard.py whole FILE          its parts fit together; ends with the first that does not
dashboard.py same FILE OTHER     OTHER, for PostgreSQL, is FILE but for how a query is told
dashboard.py typescript FILE     a program that is well typed when Grafana's schema takes FILE
dashboard.py sqlite FILE DATABASE FROM_S TO_S        what each panel shows, as JSON
dashboard.py postgresql FILE CONNECTION FROM_S TO_S  the same by psql
dashboard.py figures SHOWN REPORT FIRST_DAY          SHOWN is what sreport-carbon --json says of the
                                                     month, and of its first day
dashboard.py alike SHOWN OTHER                       two of them are the same
"""
import csv, io, json, math, re, sqlite3, subprocess, sys

KWH_MJ = 3.6e9
SQLITE, POSTGRESQL = 'frser-sqlite-datasource', 'grafana-postgresql-datasource'
# Grafana's own package has the types of what each kind of panel is set to.
PANELCFG = '@grafana/schema/dist/esm/raw/composable/{}/panelcfg/x/{}PanelCfg_types.gen'
KINDS = {'stat': 'Stat', 'table': 'Table', 'timeseries': 'TimeSeries', 'text': 'Text'}


def load(path):
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def sql_of(target):
    return target['rawSql'] if 'rawSql' in target else target['rawQueryText']


def is_timed(target):
    return target.get('timeColumns') == ['time'] or target.get('format') == 'time_series'


def check(holds, *what):
    if not holds:
        sys.exit(' '.join(map(str, what)))


# --- the file itself -----------------------------------------------------------------------------

def check_query(panel, kind):
    title, target = panel['title'], panel['targets'][0]
    check(panel['datasource'] == target['datasource'] == {'type': kind, 'uid': '${books}'},
          title, 'asks another source than the variable books')
    if kind == SQLITE:
        check(target['queryText'] == target['rawQueryText'], title, 'has two queries')
    check(is_timed(target) == (panel['type'] == 'timeseries'), title, 'has no time, or needs none')
    # what both databases expand: nothing but variables
    names = set(re.findall(r'\$(?:\{[^}]*\}|\w+)', sql_of(target)))
    check(names <= {'$__from', '$__to', '${cluster:sqlstring}'}, title, names)


def whole(path):
    board = load(path)
    kind = board['templating']['list'][0]['query']
    taken = set()
    ids = [panel['id'] for panel in board['panels']]
    check(len(ids) == len(set(ids)), 'panels share an id:', ids)
    for panel in board['panels']:
        at = panel['gridPos']
        cells = {(x, y) for x in range(at['x'], at['x'] + at['w'])
                 for y in range(at['y'], at['y'] + at['h'])}
        check(not cells & taken and at['x'] + at['w'] <= 24, panel['title'], 'overlaps')
        taken |= cells
        check(panel['type'] in KINDS, panel['title'], 'is of a kind that nobody looks at here')
        if panel['type'] != 'text':
            check(panel['description'], panel['title'], 'says nothing of itself')
            check_query(panel, kind)


def same(path, other_path):
    board, other = load(path), load(other_path)
    for panel, twin in zip(board['panels'], other['panels']):
        if 'targets' not in panel:
            continue
        check(sql_of(panel['targets'][0]) == sql_of(twin['targets'][0]), panel['title'])
        check(is_timed(panel['targets'][0]) == is_timed(twin['targets'][0]), panel['title'])
        panel['targets'] = twin['targets'] = []
    text = json.dumps(board).replace(SQLITE, POSTGRESQL)
    check(text == json.dumps(other), 'the two dashboards differ in more than their queries')
    check(SQLITE not in text, 'a source of SQLite is left')


def typescript(path):
    board = load(path)
    used = sorted({panel['type'] for panel in board['panels']})
    print("import type { Dashboard } from '@grafana/schema';")
    for kind in used:
        print(f"import type * as {kind} from '{PANELCFG.format(kind, KINDS[kind])}';")
    # In JSON a member of an enumeration is its value.
    print('''type Plain<T> = 0 extends 1 & T ? T : T extends string ? `${T}`
    : T extends number ? (number extends T ? T : `${T}` extends `${infer N extends number}` ? N : T)
    : T extends boolean | null | undefined ? T
    : T extends Array<infer U> ? Array<Plain<U>>
    : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;''')
    print('export const board: Plain<Dashboard> =', json.dumps(board, indent=1), ';')
    for panel in board['panels']:
        kind, number = panel['type'], panel['id']
        print(f'export const options{number}: Plain<{kind}.Options> =',
              json.dumps(panel['options']), ';')
        custom = panel.get('fieldConfig', {}).get('defaults', {}).get('custom')
        if custom is not None:
            print(f'export const custom{number}: Plain<{kind}.FieldConfig> =',
                  json.dumps(custom), ';')


# --- what it shows -------------------------------------------------------------------------------

def expand(sql, from_s, to_s):
    return (sql.replace('${cluster:sqlstring}', "'alpha'")
            .replace('$__from', str(from_s * 1000)).replace('$__to', str(to_s * 1000)))


def ask_sqlite(database, sql):
    with sqlite3.connect(f'file:{database}?mode=ro', uri=True) as books:
        rows = books.execute(sql)
        return [column[0] for column in rows.description], [list(row) for row in rows]


def number_or_text(text):
    try:
        return float(text)
    except ValueError:
        return text or None


def ask_postgresql(connection, sql):
    out = subprocess.run(['psql', '-X', '--csv', '-c', sql, connection], check=True,
                         capture_output=True, text=True).stdout
    head, *rows = csv.reader(io.StringIO(out))
    return head, [[number_or_text(text) for text in row] for row in rows]


def show(ask, path, source, from_s, to_s):
    shown = {}
    board = load(path)
    shown['cluster'] = ask(source, board['templating']['list'][1]['query'])
    for panel in board['panels']:
        for target in panel.get('targets', []):
            shown[panel['title']] = ask(source, expand(sql_of(target), int(from_s), int(to_s)))
    json.dump(shown, sys.stdout)


def near(what, found, wanted):
    check(found is not None and math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9),
          what, 'shows', found, 'and the report', wanted)


def totals(shown, title):
    head, rows = shown[title]
    return dict(zip(head[1:], map(sum, list(zip(*rows))[1:])))


def days(shown, title, report):
    head, rows = shown[title]
    check(head[0] == 'time' and len(rows) == len(report['days']), title, len(rows))
    for row, day in zip(rows, report['days']):
        near(f'{title}, {day["day_utc"]}', sum(row[1:]), day['counted_mj'] / KWH_MJ)


def coverage(shown, report, first_day):
    rows = shown['Coverage per day'][1]
    energy = first_day['energy']
    near('first day covered', rows[0][1],
         100 * energy['metered_domain_ms'] / energy['elapsed_domain_ms'])
    check(rows[0][1] < 100 and all(row[1] == 100 for row in rows[1:]), rows)
    check([row[0] for row in rows] == [rows[0][0] + 86400 * i for i in range(len(report['days']))],
          rows)


def figures(shown_path, report_path, first_day_path):
    shown, report = load(shown_path), load(report_path)
    coverage(shown, report, load(first_day_path))
    energy = report['energy']
    counted = energy['counted_mj']
    check(shown['cluster'] == [['cluster'], [['alpha'], ['beta']]], shown['cluster'])
    for title, wanted in {
            'Energy': counted / KWH_MJ,
            'Held by nobody': 100 * energy['unallocated_mj'] / counted,
            'Measured': 100 * energy['measured_mj'] / counted,
            'Covered': 100 * energy['metered_domain_ms'] / energy['elapsed_domain_ms'],
            'GPU-hours': report['jobs']['held']['gpu_ms'] / 3.6e6,
            'Files in quarantine': 0}.items():
        near(title, shown[title][1][0][0], wanted)
    check(0 < energy['measured_mj'] < counted and
          energy['metered_domain_ms'] < energy['elapsed_domain_ms'], 'the books are too plain')
    days(shown, 'Energy per day, by component', report)
    days(shown, 'Energy per day, by whom it was for', report)
    days(shown, 'Energy per day, by what it rests on', report)
    check(all(totals(shown, 'Energy per day, by component')[name] > 0
              for name in ('cpu', 'memory', 'gpu', 'other')), 'a component is missing')
    owners = totals(shown, 'Energy per day, by whom it was for')
    for name, key in (('jobs: active', 'jobs_active_mj'), ('jobs: idle', 'jobs_idle_mj'),
                      ('system', 'system_mj'), ('unallocated', 'unallocated_mj')):
        near(name, owners[name], energy[key] / KWH_MJ)
    rests = totals(shown, 'Energy per day, by what it rests on')
    near('measured', rests['measured'], energy['measured_mj'] / KWH_MJ)
    near('modelled', rests['modelled'], energy['modelled_mj'] / KWH_MJ)
    accounts = shown['Accounts that used most'][1]
    wanted = {a['name'] or '(none)': a['own'] for a in report['accounts']}
    check([row[1] for row in accounts] == sorted((row[1] for row in accounts), reverse=True))
    check({row[0] for row in accounts} == set(wanted), accounts, list(wanted))
    for name, kwh, gpu_hours in accounts:
        near(f'account {name}', kwh, wanted[name]['energy']['total_mj'] / KWH_MJ)
        near(f'account {name}, GPU h', gpu_hours, wanted[name]['held']['gpu_ms'] / 3.6e6)
    nodes = shown['Nodes, the least covered first'][1]
    check([row[0] for row in nodes] == ['idle', 'c1', 'g1', 'g2'], nodes)
    near('nodes', sum(row[2] or 0 for row in nodes), counted / KWH_MJ)
    check(nodes[0][1] is None and nodes[1][1] < 100 and nodes[2][1] == 100, nodes)


def alike(shown_path, other_path):
    shown, other = load(shown_path), load(other_path)
    check(shown.keys() == other.keys(), shown.keys(), other.keys())
    for title, (head, rows) in shown.items():
        check(head == other[title][0], title, head, other[title][0])
        check(len(rows) == len(other[title][1]), title, rows, other[title][1])
        for row, twin in zip(rows, other[title][1]):
            for value, again in zip(row, twin):
                if isinstance(value, (int, float)):
                    near(title, again, value)
                else:
                    check(value == again, title, value, again)


if __name__ == '__main__':
    verb, *rest = sys.argv[1:]
    if verb in ('sqlite', 'postgresql'):
        show({'sqlite': ask_sqlite, 'postgresql': ask_postgresql}[verb], *rest)
    else:
        {'whole': whole, 'same': same, 'typescript': typescript, 'figures': figures,
         'alike': alike}[verb](*rest)
