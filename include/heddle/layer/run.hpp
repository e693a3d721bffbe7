// SPDX-License-Identifier: Apache-2.0
// Every operation of the library at run time: one overload of `run` each, and of `accumulate` where it has a parameter.
#pragma once

#include <heddle/layer/run_activation.hpp>
#include <heddle/layer/run_choices.hpp>
#include <heddle/layer/run_chunks.hpp>
#include <heddle/layer/run_columns.hpp>
#include <heddle/layer/run_direct.hpp>
#include <heddle/layer/run_drop.hpp>
#include <heddle/layer/run_exchange.hpp>
#include <heddle/layer/run_expert_bias.hpp>
#include <heddle/layer/run_experts.hpp>
#include <heddle/layer/run_gate.hpp>
#include <heddle/layer/run_identity.hpp>
#include <heddle/layer/run_linear.hpp>
#include <heddle/layer/run_losses.hpp>
#include <heddle/layer/run_padding.hpp>
#include <heddle/layer/run_permute.hpp>
#include <heddle/layer/run_regrid.hpp>
#include <heddle/layer/run_repeat.hpp>
#include <heddle/layer/run_rows.hpp>
#include <heddle/layer/run_send_tokens.hpp>
#include <heddle/layer/run_token_gate.hpp>
