"""Results as FHIR R4 resources for electronic health records."""
