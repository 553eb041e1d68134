"""The screening gateway: radiographs in from the PACS, standard results back, nothing lost and nothing twice. No Qt."""
