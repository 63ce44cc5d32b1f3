# docs
dist_doc_DATA += docs/carbon.conf.sample docs/architecture.md docs/accuracy.md docs/bloom.md docs/method.md docs/operations.md docs/performance.md
dist_doc_DATA += docs/adding-a-sensor.md docs/reliability.md docs/security.md
dist_doc_DATA += docs/inventory.md docs/inventory.conf.sample
EXTRA_DIST += HACKING.md docs/adr docs/formats
