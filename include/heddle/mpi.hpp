// SPDX-License-Identifier: Apache-2.0
// Ranks that are processes of an MPI job.
#pragma once

