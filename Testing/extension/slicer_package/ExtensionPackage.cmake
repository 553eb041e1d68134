# Slicer packages what is installed; the tests look at the installed folder itself.
