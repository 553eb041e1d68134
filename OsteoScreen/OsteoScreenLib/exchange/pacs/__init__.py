"""A PACS over the network: stored connections, query, retrieve and store by DICOMweb and by DIMSE. Nothing here starts by itself."""
