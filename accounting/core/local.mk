# accounting/core
