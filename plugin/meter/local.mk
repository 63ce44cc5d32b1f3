# plugin/meter
