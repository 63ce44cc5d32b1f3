#include "carbon/estimate.h"

#include <errno.h>
#include <stddef.h>

/* --- hours ------------------------------------------------------------------------------------ */

static int find_hours(const struct estimate_input *input, struct estimate *estimate,
                      struct error *err)
{
    bool needs_duration = input->idle_kw > 0 || input->infrastructure_kw > 0 || input->node_w > 0;

    estimate->hours = input->hours;
    estimate->device_hours = input->device_hours;
    if (input->hours > 0 && input->devices > 0 && input->device_hours > 0)
        return error_set(err, -EINVAL, "--hours, the number of devices and their hours say the "
                         "same thing twice: leave one of them out");
    if (estimate->hours <= 0 && input->devices > 0)
        estimate->hours = input->device_hours / input->devices;
    if (estimate->device_hours <= 0)
        estimate->device_hours = input->devices * input->hours;
    if (needs_duration && estimate->hours <= 0)
        return error_set(err, -EINVAL, "constant power needs to know for how long: write --hours, "
                         "or %s beside %s", input->cores ? "--cores" : "--gpus",
                         input->cores ? "--core-hours" : "--gpu-hours");
    estimate->node_hours = input->nodes > 0 ? input->nodes * estimate->hours : 0;
    if (input->devices_per_node > 0 && estimate->node_hours <= 0)
        estimate->node_hours = estimate->device_hours / input->devices_per_node;
    return 0;
}

/* --- running ---------------------------------------------------------------------------------- */

static int find_energy(const struct estimate_input *input, struct estimate *estimate,
                       struct error *err)
{
    double *kwh = estimate->energy_kwh, it_kwh = 0;

    if (input->pue < 1)
        return error_set(err, -EINVAL, "--pue %.6g: no building uses less than the machines in it; "
                         "write 1 or more", input->pue);
    if (input->infrastructure_kw > 0 && input->pue > 1)
        return error_set(err, -EINVAL, "--infrastructure-kw and --pue %.6g count the building "
                         "twice: with measured infrastructure power write --pue 1", input->pue);
    if (input->has_energy && input->device_w > 0)
        return error_set(err, -EINVAL, "--energy-kwh and --watts say the same thing twice: leave "
                         "one of them out");
    if (!input->has_energy && (input->device_w <= 0 || estimate->device_hours <= 0))
        return error_set(err, -EINVAL, "no energy: write --gpu-hours and --watts, or --core-hours "
                         "and --watts, or --energy-kwh");
    if (input->node_w > 0 && estimate->node_hours <= 0)
        return error_set(err, -EINVAL, "--node-watts needs --nodes, or --devices-per-node");
    kwh[PART_DYNAMIC] = input->has_energy ? input->energy_kwh
                                          : estimate->device_hours * input->device_w / 1000;
    kwh[PART_NODES] = estimate->node_hours * input->node_w / 1000;
    kwh[PART_IDLE] = input->idle_kw * estimate->hours;
    kwh[PART_INFRASTRUCTURE] = input->infrastructure_kw * estimate->hours;
    for (int part = 0; part < PART_OVERHEAD; part++)
        it_kwh += kwh[part];
    kwh[PART_OVERHEAD] = it_kwh * (input->pue - 1);
    estimate->total_kwh = it_kwh + kwh[PART_OVERHEAD];
    return 0;
}

static void weigh_energy(const struct estimate_input *input, struct estimate *estimate)
{
    estimate->has_operational = input->has_intensity;
    for (int part = 0; input->has_intensity && part <= PART_OVERHEAD; part++) {
        double mass_kg = estimate->energy_kwh[part] * input->intensity_g_per_kwh / 1000;

        estimate->mass_kg[part] = (struct range){ mass_kg, mass_kg, mass_kg };
    }
}

/* --- making ----------------------------------------------------------------------------------- */

static struct range amortised(const struct estimate_input *input, const struct range *one_kg,
                              double used_h)
{
    double share = used_h / (input->lifetime_years * HOURS_PER_YEAR * input->utilisation);

    return (struct range){ one_kg->low * share, one_kg->central * share, one_kg->high * share };
}

static int find_embodied(const struct estimate_input *input, struct estimate *estimate,
                         struct error *err)
{
    bool of_nodes = input->node_kg.central > 0, of_devices = input->device_kg.central > 0;

    estimate->has_embodied = of_nodes || of_devices;
    if (!estimate->has_embodied)
        return 0;
    if (input->lifetime_years <= 0)
        return error_set(err, -EINVAL, "embodied emissions are spread over a lifetime: write "
                         "--lifetime-years (such as 5)");
    if (input->utilisation <= 0 || input->utilisation > 1)
        return error_set(err, -EINVAL, "--utilisation %.6g is the share of its life that hardware "
                         "is used: above 0, at most 1", input->utilisation);
    if (of_nodes && estimate->node_hours <= 0)
        return error_set(err, -EINVAL, "--node-kg needs the nodes' hours: write "
                         "--devices-per-node, or --nodes with --hours");
    if (of_devices && estimate->device_hours <= 0)
        return error_set(err, -EINVAL, "--device-kg needs the devices' hours: write --gpu-hours");
    if (of_nodes)
        estimate->mass_kg[PART_EMBODIED_NODES] =
            amortised(input, &input->node_kg, estimate->node_hours);
    if (of_devices)
        estimate->mass_kg[PART_EMBODIED_DEVICES] =
            amortised(input, &input->device_kg, estimate->device_hours);
    return 0;
}

/* What was written and would change nothing: a factor 1 and the default say the same. */
static int find_unused(const struct estimate_input *input, struct error *err)
{
    bool has_kg = input->node_kg.central > 0 || input->device_kg.central > 0;
    bool has_nodes = input->node_kg.central > 0 || input->node_w > 0;
    bool has_hours = has_nodes || input->idle_kw > 0 || input->infrastructure_kw > 0;

    if (!has_kg && (input->lifetime_years > 0 ||
                    (input->utilisation > 0 && input->utilisation != 1)))
        return error_set(err, -EINVAL, "--lifetime-years and --utilisation are of the manufacture: "
                         "write --device-kg or --node-kg too, or leave them out");
    if (!has_nodes && (input->nodes > 0 || input->devices_per_node > 0))
        return error_set(err, -EINVAL, "--nodes and --devices-per-node are of what nodes draw and "
                         "weigh: write --node-watts or --node-kg too, or leave them out");
    if (input->has_energy && !has_hours && input->device_kg.central <= 0 &&
        (input->device_hours > 0 || input->devices > 0 || input->hours > 0))
        return error_set(err, -EINVAL, "--energy-kwh is all of the energy, whatever the hours: "
                         "write --device-kg to share hardware by them, or leave the hours out");
    return 0;
}

static struct range sum_of(const struct estimate *estimate, int from, int to)
{
    struct range sum = { 0, 0, 0 };

    for (int part = from; part < to; part++) {
        sum.low += estimate->mass_kg[part].low;
        sum.central += estimate->mass_kg[part].central;
        sum.high += estimate->mass_kg[part].high;
    }
    return sum;
}

struct range estimate_operational(const struct estimate *estimate)
{
    return sum_of(estimate, 0, PART_OVERHEAD + 1);
}

struct range estimate_embodied(const struct estimate *estimate)
{
    return sum_of(estimate, PART_EMBODIED_NODES, PART_COUNT);
}

int estimate_of(const struct estimate_input *input, struct estimate *ret, struct error *err)
{
    struct estimate estimate = { .hours = 0 };
    int rc = find_hours(input, &estimate, err);

    if (rc == 0)
        rc = find_energy(input, &estimate, err);
    if (rc == 0)
        rc = find_embodied(input, &estimate, err);
    if (rc == 0)
        rc = find_unused(input, err);
    if (rc < 0)
        return rc;
    weigh_energy(input, &estimate);
    estimate.total_kg = sum_of(&estimate, 0, PART_COUNT);
    *ret = estimate;
    return 0;
}
