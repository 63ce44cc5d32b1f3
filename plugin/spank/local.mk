# plugin/spank
