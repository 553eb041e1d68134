# Scripted modules compile nothing, so the tests run where no compiler is installed.
foreach(_language IN ITEMS C CXX)
  set(CMAKE_${_language}_COMPILER ${CMAKE_COMMAND})
  set(CMAKE_${_language}_COMPILER_ID_RUN TRUE)
  set(CMAKE_${_language}_COMPILER_ID GNU)
  set(CMAKE_${_language}_COMPILER_FORCED TRUE)
  set(CMAKE_${_language}_COMPILER_WORKS TRUE)
endforeach()
