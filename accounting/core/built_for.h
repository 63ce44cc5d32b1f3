/*
 * built_for.h - how the plugin says which Slurm it was built for, to whoever reads its file
 *
 * SLURM_BUILT_FOR stands in spank_carbon.so once, with SLURM_VERSION_NUMBER behind it as slurm.h
 * writes it ("0x160508": 22.05.8). It cannot be asked by dlopen(): the plugin's symbols are
 * Slurm's to give, and a hardened build (-z now) does not load without them.
 */
#ifndef CARBON_CORE_BUILT_FOR_H
#define CARBON_CORE_BUILT_FOR_H

#define SLURM_BUILT_FOR "slurm-carbon: built for Slurm "

#endif
