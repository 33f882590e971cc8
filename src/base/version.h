/* version.h - numbers shown to people. SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_VERSION_H
#define MNI_BASE_VERSION_H
#define MNI_VERSION_TEXT "0.2.0"
#endif
