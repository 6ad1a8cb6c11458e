"""NGSI-LD (ETSI GS CIM 009): the entities of the city over HTTP."""
