"""Networks, data, training and export for the seven emotions of FER-2013."""
