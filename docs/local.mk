# docs
dist_doc_DATA += docs/carbon.conf.sample
