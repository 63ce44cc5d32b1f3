# docs
dist_doc_DATA += docs/carbon.conf.sample docs/architecture.md docs/accuracy.md docs/bloom.md docs/method.md docs/performance.md
EXTRA_DIST += HACKING.md docs/adr docs/formats
