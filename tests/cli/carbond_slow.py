#!/usr/bin/env python3
"""carbond_slow.py PORT REQUEST: those who take their time, on one carbond.

40 send a header byte by byte, 40 a body, 40 ask what REQUEST (a file) asks and never read. Prints
"all are here", and "all are gone" once carbond has ended every one of them; then exits."""
import socket
import sys
import time

port, request = int(sys.argv[1]), open(sys.argv[2], 'rb').read()
head = b'POST /query HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n'
lines = []
for i in range(120):
    line = socket.create_connection(('127.0.0.1', port))
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    kind = i % 3
    if kind == 1:
        line.sendall(head % 1000)
    elif kind == 2:
        line.sendall(head % len(request) + request)
    line.setblocking(False)
    lines.append([line, kind])
print('all are here', flush=True)
end = time.monotonic() + 170
while lines and time.monotonic() < end:
    time.sleep(1)
    for entry in list(lines):
        line, kind = entry
        try:
            if kind == 2:
                # whether it was reset is seen without reading: the peer's FIN alone is not
                if line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise ConnectionError
                line.send(b'x')
            else:
                if line.recv(4096) == b'':
                    raise ConnectionError
        except BlockingIOError:
            pass
        except OSError:
            lines.remove(entry)
            continue
        if kind < 2:
            try:
                line.send(b'P' if kind == 0 else b'1')
            except BlockingIOError:
                pass
            except OSError:
                lines.remove(entry)
if lines:
    sys.exit(f'{len(lines)} are still there: {[k for _, k in lines]}')
print('all are gone', flush=True)
