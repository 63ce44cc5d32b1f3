# plugin/ledger
