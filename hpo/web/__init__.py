"""The live page: a read-only web server over a store. It opens nothing for writing and calls nobody."""
