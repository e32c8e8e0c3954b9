"""What can be broken: one file per mechanism, each fault given back from any process. `registry` knows them all."""
