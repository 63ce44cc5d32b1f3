# plugin/sensors
