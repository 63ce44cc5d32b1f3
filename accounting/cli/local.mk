# accounting/cli
