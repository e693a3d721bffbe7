// SPDX-License-Identifier: Apache-2.0
// Reading and writing safetensors checkpoints, whole or in shards.
#pragma once

#include <heddle/checkpoint/archive.hpp>
#include <heddle/checkpoint/atomic_file.hpp>
#include <heddle/checkpoint/convert.hpp>
#include <heddle/checkpoint/exchange.hpp>
#include <heddle/checkpoint/file.hpp>
#include <heddle/checkpoint/format_code.hpp>
#include <heddle/checkpoint/gather.hpp>
#include <heddle/checkpoint/gather_file.hpp>
#include <heddle/checkpoint/header.hpp>
#include <heddle/checkpoint/json_events.hpp>
#include <heddle/checkpoint/layout.hpp>
#include <heddle/checkpoint/load.hpp>
#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/open_parts.hpp>
#include <heddle/checkpoint/parse_header.hpp>
#include <heddle/checkpoint/parse_index.hpp>
#include <heddle/checkpoint/part_archive.hpp>
#include <heddle/checkpoint/read.hpp>
#include <heddle/checkpoint/region.hpp>
#include <heddle/checkpoint/relayout.hpp>
#include <heddle/checkpoint/reshard.hpp>
#include <heddle/checkpoint/roster.hpp>
#include <heddle/checkpoint/save.hpp>
#include <heddle/checkpoint/saved_folder.hpp>
#include <heddle/checkpoint/shard_part.hpp>
#include <heddle/checkpoint/slice.hpp>
#include <heddle/checkpoint/store.hpp>
#include <heddle/checkpoint/stored_dtype.hpp>
#include <heddle/checkpoint/stored_tensor.hpp>
#include <heddle/checkpoint/stream_file.hpp>
#include <heddle/checkpoint/utf8.hpp>
#include <heddle/checkpoint/write.hpp>
