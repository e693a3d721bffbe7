// SPDX-License-Identifier: Apache-2.0
// Reading and writing checkpoints: a list of includes. Needs the nlohmann/json headers.
#pragma once

#include <heddle/checkpoint/archive.hpp>
#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/read.hpp>
#include <heddle/checkpoint/store.hpp>
