"""OGC APIs: the entities of the city as features, tiles and files, for any GIS; reading only."""
