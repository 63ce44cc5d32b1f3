# accounting/report
