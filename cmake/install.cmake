# SPDX-License-Identifier: Apache-2.0
# Installs headers, the CMake package and the pkg-config file. Nothing installed holds an absolute path or depends on an
# architecture, so a prefix can be moved and shared.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(heddle_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/heddle)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cuh")
install(TARGETS heddle EXPORT heddle INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT heddle NAMESPACE heddle:: FILE heddle-targets.cmake DESTINATION ${heddle_package_dir})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/heddle-config.cmake.in ${PROJECT_BINARY_DIR}/heddle-config.cmake
  INSTALL_DESTINATION ${heddle_package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/heddle-config-version.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/heddle-config.cmake ${PROJECT_BINARY_DIR}/heddle-config-version.cmake
  ${CMAKE_CURRENT_LIST_DIR}/heddle-components.cmake DESTINATION ${heddle_package_dir})

# ${pcfiledir} keeps the pkg-config file right when the prefix moves.
cmake_path(SET pc_dir NORMALIZE ${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/pkgconfig)
cmake_path(SET heddle_pc_include NORMALIZE ${CMAKE_INSTALL_FULL_INCLUDEDIR})
cmake_path(RELATIVE_PATH heddle_pc_include BASE_DIRECTORY ${pc_dir})
configure_file(${PROJECT_SOURCE_DIR}/heddle.pc.in ${PROJECT_BINARY_DIR}/heddle.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/heddle.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
